// SPDX-License-Identifier: Apache-2.0
// The variable that a fresh image finds in its environment: whose child it is, and where its start
// message is.
#ifndef MPC_PROCESS_START_TICKET_HPP
#define MPC_PROCESS_START_TICKET_HPP

#include <cstdint>
#include <string>

#include "group/layout.hpp"

namespace mpc {

#define MPC_START_VARIABLE "LIBMPC_START"

struct StartTicket {
  // A program keeps its main() and joins; other images are taken over.
  bool for_program = false;
  bool preloaded = false;  // the image loads this library for the starter's sake
  int memory_fd = -1;      // of the group
  uint64_t device = 0;
  uint64_t inode = 0;
  uint64_t base = 0;  // where the starter has it mapped
  uint64_t size = 0;
  int tie_fd =
      -1;  // -1: no connection; of a program that is not tied: the mark that it has instead
  int key_fd = -1;  // a pipe with the starter's authentication key
  int32_t parent_pid = 0;
  bool tied = false;
  Owner starter;
  Owner record;
  uint64_t message = 0;  // offset of the StartMessage
};

// "LIBMPC_START=..."
std::string ticket_text(const StartTicket& ticket);

// False where the text, what is behind the =, is none of ticket_text()'s.
bool ticket_parse(const char* text, StartTicket& out_ticket);

}  // namespace mpc

#endif
