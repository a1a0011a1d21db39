// SPDX-License-Identifier: Apache-2.0
// Which fork server this process asks: one that its tree has, or one that it has made.
#ifndef MPC_PROCESS_SERVER_LINK_HPP
#define MPC_PROCESS_SERVER_LINK_HPP

#include <string>

#include "group/group.hpp"
#include "process/image.hpp"
#include "process/server_control.hpp"

namespace mpc {

// A living server of an image, for this process's credentials and preload; made where there is
// none. `warning` receives what is to be logged, where something is, once no lock is held.
Result<Server> server_for(Group& group, const Image& image, std::string& warning);

// It lives, and no request gets there: it is not asked again.
void server_avoid(const Server& server);

// Ends those that are tied to this process's life. Children that they have started go on.
void servers_end(Group& group);

}  // namespace mpc

#endif
