// SPDX-License-Identifier: Apache-2.0
// This process, if it is a program that a process of the group started.
//
// It is a member from the moment that the library is loaded: linked to the program, or by a
// dlopen() later. So all that a child can ask of itself it can ask as well, and what it forks joins
// as any participant's forks do.
#ifndef MPC_PROCESS_PROGRAM_HPP
#define MPC_PROCESS_PROGRAM_HPP

#include <string_view>

#include "base/result.hpp"

namespace mpc {

struct StartTicket;

// For an ELF constructor. Does nothing where the ticket is another process's: one that the program
// has started finds it in its environment as well, if nobody has taken it out before.
void program_join(const StartTicket& ticket) noexcept;

// What the starter gave.
struct ProgramInput {
  std::string_view argument;
  std::string_view refs;  // their bytes
};

// MPC_ESTATE where this process is no such program.
Result<ProgramInput> program_input();

}  // namespace mpc

#endif
