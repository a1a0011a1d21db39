// SPDX-License-Identifier: Apache-2.0
// What a process has used, as the kernel tells it to whoever reaps it.
#ifndef MPC_PROCESS_USAGE_HPP
#define MPC_PROCESS_USAGE_HPP

#include <sys/resource.h>

#include <mpc/process.h>

namespace mpc {

mpc_process_usage usage_of(const rusage& used, bool core_dumped);

}  // namespace mpc

#endif
