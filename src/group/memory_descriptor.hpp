// SPDX-License-Identifier: Apache-2.0
// The descriptor of a group's memory, to be handed on.
#ifndef MPC_GROUP_MEMORY_DESCRIPTOR_HPP
#define MPC_GROUP_MEMORY_DESCRIPTOR_HPP

#include "base/fd.hpp"
#include "group/group.hpp"

namespace mpc {

// A duplicate, numbered `least` or higher. Where the program has closed ours, it comes from another
// thread's table or from another participant. MPC_ESYSTEM where nobody has it.
Result<Fd> memory_descriptor(Group& group, int least);

// Moves the descriptor of this process to a number from `least` on: its old one is wanted for
// something else. Nobody else may be using it.
void move_memory_up(Group& group, int least);

}  // namespace mpc

#endif
