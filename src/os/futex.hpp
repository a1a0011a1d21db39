// SPDX-License-Identifier: Apache-2.0
// Sleeping on a word of shared memory, and waking who sleeps there.
#ifndef MPC_OS_FUTEX_HPP
#define MPC_OS_FUTEX_HPP

#include <cstdint>

namespace mpc {

// Sleeps until the word changes from `expected`, somebody wakes it, a signal comes, or
// `timeout_ns` is over. Which of these it was does not matter: every caller looks again.
void futex_wait(const void* word, uint32_t expected, int64_t timeout_ns);

// Wakes up to `count` sleepers.
void futex_wake(const void* word, int count);

}  // namespace mpc

#endif
