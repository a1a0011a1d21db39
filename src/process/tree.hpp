// SPDX-License-Identifier: Apache-2.0
// A process and all that came of it, signalled as a whole.
#ifndef MPC_PROCESS_TREE_HPP
#define MPC_PROCESS_TREE_HPP

#include "group/group.hpp"

namespace mpc {

struct TreeRoot {
  Owner record;
  int32_t pid;
  uint64_t identity;  // os/identity.hpp
};

// Sends SIGTERM or SIGKILL to a process and to its descendants: those that the kernel knows as
// such, and those that the group does.
Result<void> signal_tree(Group& group, const TreeRoot& root, int signal);

}  // namespace mpc

#endif
