// SPDX-License-Identifier: Apache-2.0
// Joining a group through the socket at which one of its participants listens (os/door.hpp).
#ifndef MPC_GROUP_JOIN_PATH_HPP
#define MPC_GROUP_JOIN_PATH_HPP

#include "base/deadline.hpp"
#include "base/result.hpp"

namespace mpc {

// Makes this process, which belongs to no group, a participant of that group. Nothing is mapped
// before who listens is known to be of the same user and what it sent to be a group's memory.
Result<void> group_join_path(const char* path, Deadline deadline);

}  // namespace mpc

#endif
