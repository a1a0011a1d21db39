// SPDX-License-Identifier: Apache-2.0
#include "process/program.hpp"

#include <fcntl.h>
#include <stdio.h>
#include <sys/auxv.h>
#include <unistd.h>

#include <exception>

#include "base/child_page.hpp"
#include "group/current.hpp"
#include "os/identity.hpp"
#include "os/lifeline.hpp"
#include "os/spare_descriptor.hpp"
#include "process/child.hpp"
#include "process/exit.hpp"
#include "process/start_message.hpp"
#include "process/start_ticket.hpp"

namespace mpc {
namespace {

struct Joined {
  pid_t process;                // 0: no ticket was found
  int32_t parent;               // whom the ticket was of
  const StartMessage* message;  // null: it has not joined
  uint64_t group;               // in whose memory the message is
};
MPC_CHILD_PAGE Joined joined{0, 0, nullptr, 0};
// Empty: the ticket was another process's. Cut to what a message holds.
char why_not[512];

void note_why_not(const char* message) { snprintf(why_not, sizeof why_not, "%s", message); }

// The tie names the process that was started, from before its image began. Where that was closed
// the parent has to do, and nobody joins.
bool is_for_this_process(const StartTicket& ticket) {
  if (lifeline_is_tie(ticket.tie_fd)) return fcntl(ticket.tie_fd, F_GETOWN) == getpid();
  return getppid() == ticket.parent_pid;
}

Result<const StartMessage*> join(const StartTicket& ticket) {
  bool closed =
      !same_file(ticket.memory_fd, ticket.device, ticket.inode) || !lifeline_is_tie(ticket.tie_fd);
  if (closed) {
    return failure(MPC_ESTATE,
                   "the descriptors that this program was started with were closed before it "
                   "loaded libmpc; load it first, or leave descriptors %d and up open",
                   ticket.memory_fd);
  }
  if (ticket.tied) {
    fcntl(ticket.tie_fd, F_SETFD, FD_CLOEXEC);
  } else {
    close(ticket.tie_fd);
  }
  return adopt_program(ticket);
}

}  // namespace

void program_join(const StartTicket& ticket) noexcept {
  joined.process = getpid();
  joined.parent = ticket.parent_pid;
  if (!is_for_this_process(ticket)) return;
  try {
    Result<const StartMessage*> message = join(ticket);
    if (message) {
      joined.message = *message;
      joined.group = group_if_any()->header().id;
      watch_program_exit();
    } else {
      note_why_not(message.error().message.c_str());
    }
  } catch (const std::exception&) {
    note_why_not("there was no memory to join the group with");
  }
}

Result<ProgramInput> program_input() {
  if (joined.process == 0 && getauxval(AT_SECURE) != 0) {
    return failure(MPC_ESTATE,
                   "this program runs with other rights than who started it (setuid), so that its "
                   "environment is not heeded; it cannot be a program of a group");
  }
  if (joined.process == 0) {
    return failure(MPC_ESTATE,
                   "this process was not started as a program of a group; start it with "
                   "mpc_process_options.program");
  }
  if (why_not[0] != '\0') return failure(MPC_ESTATE, "%s", why_not);
  if (joined.message == nullptr || joined.process != getpid()) {
    return failure(MPC_ESTATE,
                   "process %d started a program, and this process was started, or forked, by that "
                   "one; let the program itself become it (in a shell: exec)",
                   joined.parent);
  }
  Group* group = group_if_any();
  if (group == nullptr || group->header().id != joined.group) {
    return failure(MPC_ESTATE, "this program has left the group that it was started in");
  }
  const StartMessage& message = *joined.message;
  return ProgramInput{message.text(message.argument), message.text(message.refs)};
}

}  // namespace mpc
