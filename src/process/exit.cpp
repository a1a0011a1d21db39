// SPDX-License-Identifier: Apache-2.0
#include "process/exit.hpp"

#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <atomic>

#include "base/child_page.hpp"
#include "base/deadline.hpp"
#include "group/current.hpp"
#include "group/participant.hpp"
#include "process/children.hpp"
#include "process/finalizer.hpp"
#include "process/process.hpp"
#include "process/server_link.hpp"

namespace mpc {
namespace {

constexpr int64_t kGrace = 1000000000;

MPC_CHILD_PAGE std::atomic<bool> has_started_children{false};

// A return from main() and a call of exit() come by here, after the program's own atexit()
// functions. In a forked child that has not called the library there is nothing to end.
[[gnu::destructor]] void at_exit() {
  if (has_started_children.load() || finalizers_any()) end_children();
}

MPC_CHILD_CODE void end_daemons_and_join() {
  if (!has_started_children.load() || group_if_any() == nullptr || forked()) return;
  std::vector<std::shared_ptr<Process>> all = children();
  if (all.empty()) return;
  for (const std::shared_ptr<Process>& process : all) {
    if (process->daemon() && !process->detached()) (void)process->send_signal(SIGTERM);
  }
  Deadline deadline = Deadline::after(kGrace);
  for (const std::shared_ptr<Process>& process : all) {
    if (process->detached()) continue;
    if (process->daemon()) {
      Result<bool> ended = process->join(deadline);
      if (ended && *ended) continue;
      // It does not heed SIGTERM, or is stopped: nobody waits for a daemon for ever.
      (void)process->send_signal(SIGKILL);
    }
    (void)process->join(Deadline::after(MPC_FOREVER));
  }
}

void end_servers() {
  Group* group = group_if_any();
  if (has_started_children.load() && group != nullptr && !forked()) servers_end(*group);
}

// `process` is the program: what it forks has another exit code, and its children are not theirs.
void end_program(int status, void* process) {
  if (static_cast<pid_t>(reinterpret_cast<intptr_t>(process)) != getpid()) return;
  end_children();
  if (Group* group = group_if_any()) exit_record_write(*group, status & 0xff);
}

}  // namespace

// on_exit() and no destructor, for the status. It runs after the program's own atexit() functions
// too, if those were added later; a library that is loaded in the middle is not the last.
void watch_program_exit() {
  on_exit(end_program, reinterpret_cast<void*>(static_cast<intptr_t>(getpid())));
}

void watch_exit() { has_started_children.store(true); }

MPC_CHILD_CODE void forget_exit() {
  has_started_children.store(false);
  finalizers_forget();
}

MPC_CHILD_CODE void end_children() {
  if (finalizers_any()) finalizers_run(0);
  end_daemons_and_join();
  end_servers();
  if (finalizers_any()) finalizers_run(kAnyPriority);
}

}  // namespace mpc
