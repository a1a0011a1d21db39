// SPDX-License-Identifier: Apache-2.0
// A child's first steps and its last.
#ifndef MPC_PROCESS_CHILD_HPP
#define MPC_PROCESS_CHILD_HPP

#include "process/launcher.hpp"

namespace mpc {

struct Authkey;
struct StartMessage;
struct StartTicket;

// Takes the child's record over, ties it to its parent, sets it up, runs the body, and exits. What
// throws in here ends the child: it must never return into the parent's program.
[[noreturn]] void run_child(Group& group, const StartRequest& request) noexcept;

// The main() of a fresh image that was taken over.
int run_image_child(const StartTicket& ticket) noexcept;

// Makes this process, which keeps its main(), what its starter said.
Result<const StartMessage*> adopt_program(const StartTicket& ticket);

// What a message says that its child is, but for the key.
void self_from(const StartMessage& message, bool served, Self& out_self);

// As run_image_child() for a child of a fork server that has its record and its tie already. `self`
// is kept for good; `function`, where it is not null, is the message's.
[[noreturn]] void run_served_child(Group& group, const StartMessage& message, const Self& self,
                                   const void* function) noexcept;

}  // namespace mpc

#endif
