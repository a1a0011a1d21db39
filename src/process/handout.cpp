// SPDX-License-Identifier: Apache-2.0
#include "process/handout.hpp"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <string_view>

#include "group/memory_descriptor.hpp"
#include "process/start_message.hpp"

namespace mpc {
namespace {

// The numbers that the child gets the library's descriptors under: behind all that the program
// gives it. They are put in place last, when what the others come from is not needed any more.
struct Numbers {
  int memory = STDERR_FILENO + 1;
  int tie;
  int key;
  int first_free;

  explicit Numbers(const StartRequest& request) {
    if (request.setup != nullptr) {
      for (const auto& [from, to] : request.setup->descriptors.passed()) {
        memory = std::max(memory, to + 1);
      }
    }
    tie = memory + 1;
    key = tie + 1;
    first_free = key + 1;
  }
};

// A pipe that holds the key: it is in no memory but this process's and the child's.
Fd pipe_with(const Authkey& key, int least) {
  int ends[2];
  if (key.size == 0 || pipe2(ends, O_CLOEXEC) != 0) return {};
  Fd reading(ends[0]);
  Fd writing(ends[1]);
  bool written = write(writing.get(), key.bytes, key.size) == static_cast<ssize_t>(key.size);
  return written ? Fd(fcntl(reading.get(), F_DUPFD_CLOEXEC, least)) : Fd();
}

}  // namespace

Result<Handout> Handout::make(Group& group, const StartRequest& request,
                              const FunctionName* function, bool preloaded) {
  Handout out;
  Numbers number(request);
  Result<Fd> memory = memory_descriptor(group, number.first_free);
  if (!memory) return memory.error();
  out.memory_ = std::move(*memory);
  StartTicket& ticket = out.ticket_;
  ticket.for_program = request.task->program.has_value();
  ticket.preloaded = preloaded;
  // A program is known by its tie, and one that is detached by what looks like one: its parent's
  // pid is also that of processes that it leaves behind, where orphans come to this process.
  if (!request.detach || ticket.for_program) {
    Result<Fd> tie = request.detach ? lifeline_mark() : lifeline_connection(request.tie);
    if (!tie && ticket.for_program) return tie.error();
    if (tie) out.tie_ = Fd(fcntl(tie->get(), F_DUPFD_CLOEXEC, number.first_free));
    if (!out.tie_ && ticket.for_program) return system_failure("the tie of the program", EMFILE);
  }
  Result<uint64_t> message = start_message_write(group, request, function);
  if (!message) return message.error();
  out.key_ = pipe_with(request.child.authkey, number.first_free);

  ticket.memory_fd = number.memory;
  ticket.device = group.mapping().device;
  ticket.inode = group.mapping().inode;
  ticket.base = reinterpret_cast<uint64_t>(group.mapping().base);
  ticket.size = group.mapping().size;
  ticket.tied = !request.detach;
  ticket.tie_fd = out.tie_ ? number.tie : -1;
  ticket.key_fd = out.key_ ? number.key : -1;
  ticket.parent_pid = request.parent_pid;
  ticket.starter = request.starter;
  ticket.record = request.record;
  ticket.message = *message;
  out.entry_ = ticket_text(ticket);
  return out;
}

void Handout::give(ImageStart& start) {
  start.descriptors.emplace_back(memory_.get(), ticket_.memory_fd);
  if (tie_) start.descriptors.emplace_back(tie_.get(), ticket_.tie_fd);
  if (key_) start.descriptors.emplace_back(key_.get(), ticket_.key_fd);
  start.tie = ticket_.tie_fd;
  start.environment.push_back(entry_.data());
  start.environment.push_back(nullptr);
}

void add_environment(ImageStart& start, char* const* environment, const std::string& replaced) {
  const std::string ticket = MPC_START_VARIABLE "=";
  const std::string prefix = replaced.substr(0, replaced.find('=') + 1);
  for (; environment != nullptr && *environment != nullptr; ++environment) {
    std::string_view entry = *environment;
    if (entry.starts_with(ticket) || (!prefix.empty() && entry.starts_with(prefix))) continue;
    start.environment.push_back(*environment);
  }
}

}  // namespace mpc
