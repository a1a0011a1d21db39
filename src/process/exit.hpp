// SPDX-License-Identifier: Apache-2.0
// What a process does for its children when it exits in good order.
#ifndef MPC_PROCESS_EXIT_HPP
#define MPC_PROCESS_EXIT_HPP

namespace mpc {

// To be called before a child is started: from here on the exit of the program looks after
// children.
void watch_exit();

// In a program that a process of the group started: its exit code is written down for that one, and
// its own children are looked after, when it returns from main() or calls exit().
void watch_program_exit();

// In a child that has just begun: the children are its parent's.
void forget_exit();

// Runs the program's finalizers of priority 0 and more; terminates the daemons, waits for the other
// children, leaves the detached alone; runs the other finalizers.
void end_children();

}  // namespace mpc

#endif
