// SPDX-License-Identifier: Apache-2.0
// Letting programs that are no descendants join the group, through a socket (os/door.hpp).
#ifndef MPC_PROCESS_LISTEN_HPP
#define MPC_PROCESS_LISTEN_HPP

#include "group/group.hpp"

namespace mpc {

// Listens at a path until group_unlisten() or the end of this process. What a killed process left
// at the path is replaced; nothing else is.
Result<void> group_listen(Group& group, const char* path);

// Ends that, and removes the path if it still is ours. In a process that does not listen: nothing.
Result<void> group_unlisten();

}  // namespace mpc

#endif
