// SPDX-License-Identifier: Apache-2.0
// Signal dispositions of this process.
#ifndef MPC_OS_SIGNALS_HPP
#define MPC_OS_SIGNALS_HPP

#include <cstdint>

namespace mpc {

// Which signals have a handler: bit N - 1 for signal N. One system call a signal.
uint64_t signals_handled();

// Which signals are ignored, likewise.
uint64_t signals_ignored();

// Ignores those of `wanted`; those of `present` that are not have their default.
void signals_ignore(uint64_t wanted, uint64_t present);

// The default for those that have a handler. What is ignored stays ignored, as over an exec.
void signals_reset(uint64_t handled);

// SIGINT is ignored, or has its default, whatever it had.
void interrupt_ignore(bool ignore);

}  // namespace mpc

#endif
