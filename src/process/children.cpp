// SPDX-License-Identifier: Apache-2.0
#include "process/children.hpp"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <new>

#include "base/child_page.hpp"
#include "base/local_lock.hpp"
#include "os/null_device.hpp"
#include "os/spare_descriptor.hpp"
#include "process/exit.hpp"
#include "process/process.hpp"

namespace mpc {
namespace {

// Never destroyed: the exit of the program looks at it. Under LocalLock.
std::vector<std::shared_ptr<Process>>& list() {
  static auto* list = new std::vector<std::shared_ptr<Process>>;
  return *list;
}

constexpr size_t kFewChildren = 16;
constexpr size_t kLookedAtInTurn = 2;
MPC_CHILD_PAGE size_t look_at = kFewChildren;  // under LocalLock
MPC_CHILD_PAGE size_t next_in_turn = 0;        // under LocalLock

struct Newest {
  const Process* process = nullptr;
  bool made = false;
  alignas(HeldPidfd) unsigned char room[sizeof(HeldPidfd)] = {};
};
MPC_CHILD_PAGE Newest newest;  // under LocalLock

// Never destroyed: other threads may call while the program exits.
HeldPidfd& newest_pidfd() {
  if (!newest.made) new (newest.room) HeldPidfd;
  newest.made = true;
  return *std::launder(reinterpret_cast<HeldPidfd*>(newest.room));
}

struct Starts {
  pthread_mutex_t mutex;
  pid_t process;  // in a forked child the mutex may be held by a thread that does not exist there
};
MPC_CHILD_PAGE Starts starts{PTHREAD_MUTEX_INITIALIZER, 0};

void lock_starts() {
  {
    LocalLock lock;
    if (starts.process != getpid()) starts = Starts{PTHREAD_MUTEX_INITIALIZER, getpid()};
  }
  pthread_mutex_lock(&starts.mutex);
}

// The memory's descriptor, if it is ours still.
int kept_memory(Group& group) {
  const Mapping& memory = group.mapping();
  return same_file(memory.fd, memory.device, memory.inode) ? memory.fd : -1;
}

// The pids of those that run; the others are forgotten.
std::vector<int32_t> reap(const std::vector<std::shared_ptr<Process>>& processes) {
  std::vector<int32_t> alive;
  std::vector<std::shared_ptr<Process>> ended;
  for (const std::shared_ptr<Process>& process : processes) {
    if (!process->started_here()) continue;
    if (process->reap()) {
      (void)newest_child_pidfd(process.get());
      ended.push_back(process);
    } else {
      alive.push_back(process->started_pid());
    }
  }
  if (ended.empty()) return alive;
  LocalLock lock;
  std::erase_if(list(), [&](const std::shared_ptr<Process>& process) {
    return std::find(ended.begin(), ended.end(), process) != ended.end();
  });
  return alive;
}

}  // namespace

void children_add(const std::shared_ptr<Process>& process) {
  LocalLock lock;
  list().push_back(process);
}

std::vector<std::shared_ptr<Process>> children() {
  std::vector<std::shared_ptr<Process>> mine;
  LocalLock lock;
  for (const std::shared_ptr<Process>& process : list()) {
    if (process->started_here()) mine.push_back(process);
  }
  return mine;
}

// One question tells whether any child of this process waits to be reaped, the program's own
// included. Those of a fork server, and those that something else has reaped, do not show: for
// their sake a few are looked at each time, in turn, and all when the list has doubled.
void children_reap() {
  siginfo_t info;
  info.si_pid = 0;
  int result = waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT);
  std::vector<std::shared_ptr<Process>> some;
  if (result != 0 || info.si_pid == 0) {
    LocalLock lock;
    size_t known = list().size();
    if (known < look_at) {
      if (result == 0) return;
      for (size_t i = 0; i < std::min(known, kLookedAtInTurn); ++i) {
        some.push_back(list()[next_in_turn++ % known]);
      }
    }
  }
  if (some.empty()) {
    children_alive();
  } else {
    reap(some);
  }
}

std::vector<int32_t> children_alive() {
  std::vector<int32_t> alive = reap(children());
  LocalLock lock;
  look_at = 2 * list().size() + kFewChildren;
  return alive;
}

size_t children_running() {
  size_t running = 0;
  for (const std::shared_ptr<Process>& process : children()) running += process->reap() ? 0 : 1;
  return running;
}

void children_forget() {
  {
    LocalLock lock;
    list().clear();
    newest.process = nullptr;
    newest_pidfd() = HeldPidfd();
  }
  lock_starts();
  null_device_close();
  lifeline_end();
  pthread_mutex_unlock(&starts.mutex);
}

Untied untie_child(int pidfd, int32_t pid) {
  lock_starts();
  Untied untied = lifeline_untie(pidfd, pid);
  int error = errno;
  pthread_mutex_unlock(&starts.mutex);
  errno = error;
  return untied;
}

void Starting::keep(const Process* process, HeldPidfd pidfd) {
  LocalLock lock;
  newest.process = process;
  newest_pidfd() = std::move(pidfd);
}

HeldPidfd newest_child_pidfd(const Process* process) {
  LocalLock lock;
  if (newest.process != process) return {};
  newest.process = nullptr;
  return std::move(newest_pidfd());
}

Result<LifelineAddress> lifeline_of_this_process(Group& group) {
  lock_starts();
  Result<LifelineAddress> address = lifeline_address(kept_memory(group));
  pthread_mutex_unlock(&starts.mutex);
  return address;
}

void tidy_lifeline() {
  lock_starts();
  lifeline_tidy();
  pthread_mutex_unlock(&starts.mutex);
}

Result<Starting> Starting::begin(Group& group) {
  watch_exit();
  lock_starts();
  keep(nullptr, HeldPidfd());  // no child inherits another's
  null_device_keep();
  Result<Tie> tie = lifeline_offer(kept_memory(group));
  if (tie) return Starting(*tie);
  pthread_mutex_unlock(&starts.mutex);
  return tie.error();
}

Starting::~Starting() {
  if (!begun_) return;
  lifeline_lend(tie_, pid_);
  pthread_mutex_unlock(&starts.mutex);
}

}  // namespace mpc
