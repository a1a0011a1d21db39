// SPDX-License-Identifier: Apache-2.0
// How much of the machine this process may use.
#ifndef MPC_OS_CPU_HPP
#define MPC_OS_CPU_HPP

#include <cstdint>

namespace mpc {

// The least of affinity and the cgroup's CPU limit (rounded up), at least 1.
uint32_t usable_cpus();

// The least of RAM and the memory limits of this process's cgroup and those above it, in bytes.
uint64_t usable_memory();

}  // namespace mpc

#endif
