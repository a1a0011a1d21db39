// SPDX-License-Identifier: Apache-2.0
#include "process/start_ticket.hpp"

#include <stdio.h>

namespace mpc {

std::string ticket_text(const StartTicket& ticket) {
  auto wide = [](uint64_t number) { return static_cast<unsigned long long>(number); };
  char text[320];
  snprintf(text, sizeof text,
           MPC_START_VARIABLE "=2,%d,%d,%d,%llx,%llx,%llx,%llx,%d,%d,%d,%d,%x,%x,%llx",
           ticket.for_program ? 1 : 0, ticket.preloaded ? 1 : 0, ticket.memory_fd,
           wide(ticket.device), wide(ticket.inode), wide(ticket.base), wide(ticket.size),
           ticket.tied ? 1 : 0, ticket.tie_fd, ticket.key_fd, ticket.parent_pid,
           ticket.starter.word, ticket.record.word, wide(ticket.message));
  return text;
}

bool ticket_parse(const char* text, StartTicket& out_ticket) {
  int for_program = 0;
  int preloaded = 0;
  int tied = 0;
  unsigned long long device = 0;
  unsigned long long inode = 0;
  unsigned long long base = 0;
  unsigned long long size = 0;
  unsigned long long message = 0;
  StartTicket ticket;
  if (sscanf(text, "2,%d,%d,%d,%llx,%llx,%llx,%llx,%d,%d,%d,%d,%x,%x,%llx", &for_program,
             &preloaded, &ticket.memory_fd, &device, &inode, &base, &size, &tied, &ticket.tie_fd,
             &ticket.key_fd, &ticket.parent_pid, &ticket.starter.word, &ticket.record.word,
             &message) != 14) {
    return false;
  }
  ticket.for_program = for_program != 0;
  ticket.preloaded = preloaded != 0;
  ticket.device = device;
  ticket.inode = inode;
  ticket.base = base;
  ticket.size = size;
  ticket.tied = tied != 0;
  ticket.message = message;
  out_ticket = ticket;
  return true;
}

}  // namespace mpc
