// SPDX-License-Identifier: Apache-2.0
#include "process/start_ticket.hpp"

#include <stdio.h>

#include "base/child_page.hpp"

namespace mpc {
namespace {

// The numbers of a ticket, one after the other: sscanf() is on three pages that nothing else needs
// in a fresh image.
class Numbers {
 public:
  explicit Numbers(const char* text) : at_(text) {}

  MPC_CHILD_CODE uint64_t next(uint64_t base) {
    bool negative = *at_ == '-';
    if (negative) ++at_;
    uint64_t number = 0;
    bool any = false;
    for (uint64_t digit; (digit = digit_of(*at_)) < base; ++at_) {
      number = number * base + digit;
      any = true;
    }
    sound_ = sound_ && any;
    // Whatever follows the last one is left alone.
    if (*at_ == ',') ++at_;
    return negative ? 0 - number : number;
  }
  bool sound() const { return sound_; }

 private:
  static uint64_t digit_of(char c) {
    if (c >= '0' && c <= '9') return static_cast<uint64_t>(c - '0');
    return c >= 'a' && c <= 'f' ? static_cast<uint64_t>(c - 'a' + 10) : UINT64_MAX;
  }
  const char* at_;
  bool sound_ = true;
};

}  // namespace

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

MPC_CHILD_CODE bool ticket_parse(const char* text, StartTicket& out_ticket) {
  Numbers numbers(text);
  uint64_t version = numbers.next(10);
  StartTicket ticket;
  ticket.for_program = numbers.next(10) != 0;
  ticket.preloaded = numbers.next(10) != 0;
  ticket.memory_fd = static_cast<int>(numbers.next(10));
  ticket.device = numbers.next(16);
  ticket.inode = numbers.next(16);
  ticket.base = numbers.next(16);
  ticket.size = numbers.next(16);
  ticket.tied = numbers.next(10) != 0;
  ticket.tie_fd = static_cast<int>(numbers.next(10));
  ticket.key_fd = static_cast<int>(numbers.next(10));
  ticket.parent_pid = static_cast<int32_t>(numbers.next(10));
  ticket.starter.word = static_cast<uint32_t>(numbers.next(16));
  ticket.record.word = static_cast<uint32_t>(numbers.next(16));
  ticket.message = numbers.next(16);
  if (version != 2 || !numbers.sound()) return false;
  out_ticket = ticket;
  return true;
}

}  // namespace mpc
