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

// As run_image_child() for a child of a fork server that has its record and its tie already. Does
// not return.
int run_served_child(Group& group, const StartMessage& message, const Authkey& key) noexcept;

}  // namespace mpc

#endif
