// SPDX-License-Identifier: Apache-2.0
// What the program wants done when this process exits, and in which order.
#ifndef MPC_PROCESS_FINALIZER_HPP
#define MPC_PROCESS_FINALIZER_HPP

#include <climits>
#include <cstdint>

#include <mpc/current.h>

namespace mpc {

inline constexpr int kAnyPriority = INT_MIN;

// The number that takes it back; numbers are used once.
uint64_t finalizer_add(mpc_finalizer_fn function, void* user_data, int priority);

// False if it runs or has run.
bool finalizer_cancel(uint64_t number);

// Runs those of at least this priority that are there now: the highest first, within one priority
// the last that was added.
void finalizers_run(int least_priority);

// Whether this process has any.
bool finalizers_any();

// In a child that has just begun: they are its parent's.
void finalizers_forget();

}  // namespace mpc

#endif
