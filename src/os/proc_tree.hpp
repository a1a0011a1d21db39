// SPDX-License-Identifier: Apache-2.0
// Who is whose child, as /proc tells it. Not by /proc/PID/task/*/children, which not every kernel
// has. REQUIRES, for all of it: proc_is_ours().
#ifndef MPC_OS_PROC_TREE_HPP
#define MPC_OS_PROC_TREE_HPP

#include <cstdint>
#include <vector>

#include "base/result.hpp"

namespace mpc {

struct ProcessAndParent {
  int32_t pid;
  int32_t parent;
};

// Every process that /proc shows.
Result<std::vector<ProcessAndParent>> processes_and_parents();

// 0 where there is no such process.
int32_t parent_of(int32_t pid);

// Whether no thread of it runs code of the program's: all are stopped, or gone.
bool is_stopped(int32_t pid);

}  // namespace mpc

#endif
