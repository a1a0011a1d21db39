// SPDX-License-Identifier: Apache-2.0
// The fork servers that this process has had made: one for each image.
#ifndef MPC_PROCESS_SERVER_LINK_HPP
#define MPC_PROCESS_SERVER_LINK_HPP

#include <string>

#include "group/group.hpp"
#include "process/image.hpp"
#include "process/server_control.hpp"

namespace mpc {

// The control block of a living server of an image, with this process's credentials; made where
// there is none. It stays while this process has it.
Result<ServerControl*> server_for(Group& group, const Image& image);

bool server_alive(const ServerControl& control);

// Where it is alive still: one that does not answer.
void server_kill(const ServerControl& control);

// Ends them all. Children that they have started go on.
void servers_end(Group& group);

}  // namespace mpc

#endif
