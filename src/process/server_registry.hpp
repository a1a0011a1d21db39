// SPDX-License-Identifier: Apache-2.0
// The fork servers of a group, found by their records (server_control.hpp says how).
#ifndef MPC_PROCESS_SERVER_REGISTRY_HPP
#define MPC_PROCESS_SERVER_REGISTRY_HPP

#include <functional>
#include <optional>
#include <string_view>

#include "group/group.hpp"
#include "process/server_control.hpp"

namespace mpc {

// By the server itself, which has filled in the control at this offset: others find it from now on.
void server_publish(Group& group, uint64_t control);

// The server with this record, which has said where its control is; none if it has been swept.
std::optional<Server> server_of(const Group& group, Owner record, uint64_t control);

// The first server for a purpose that `fits`.
std::optional<Server> server_find(const Group& group, std::string_view purpose,
                                  const std::function<bool(const Server&)>& fits);

// Calls `body` for each.
void servers_each(const Group& group, const std::function<void(const Server&)>& body);

bool server_alive(const Server& server);

// How many datagrams it has looked at; any number where it is gone.
uint32_t server_handled(const Group& group, const Server& server);

// Where it is alive still, and may be killed. Returns when it has ended, or when it takes long.
void process_kill(int32_t pid, uint64_t identity);

}  // namespace mpc

#endif
