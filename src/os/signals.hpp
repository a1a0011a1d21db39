// SPDX-License-Identifier: Apache-2.0
// Signal dispositions of this process.
#ifndef MPC_OS_SIGNALS_HPP
#define MPC_OS_SIGNALS_HPP

#include <cstdint>

namespace mpc {

// Which signals have a handler: bit N - 1 for signal N. One system call a signal.
uint64_t signals_handled();

// The default for those that have a handler. What is ignored stays ignored, as over an exec.
void signals_reset(uint64_t handled);

// SIGINT is ignored, or has its default, whatever it had.
void interrupt_ignore(bool ignore);

}  // namespace mpc

#endif
