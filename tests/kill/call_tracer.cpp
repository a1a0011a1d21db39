// SPDX-License-Identifier: Apache-2.0
#include "call_tracer.hpp"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>

#include "fault.hpp"

namespace kill_tests {
namespace {

// Ignored by whoever is not traced, and told to who traces all the same.
constexpr int kMark = SIGURG;

constexpr long kOptions = PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK |
                          PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC;
constexpr int kSystemCallStop = SIGTRAP | 0x80;

}  // namespace

const char* role_name(Role role) {
  switch (role) {
    case Role::kParent:
      return "parent";
    case Role::kMaker:
      return "maker";
    case Role::kServer:
      return "supervisor";
    case Role::kChild:
      return "child";
    case Role::kNone:
      break;
  }
  return "nobody";
}

void mark() { raise(kMark); }

CallTracer::~CallTracer() {
  if (victim_ == 0) return;
  kill(-victim_, SIGKILL);
  let_go_ = true;
  // Where a promise did not hold somebody may be left over: the driver ends then.
  for (int i = 0; i < 1000 && anybody_left(); ++i) {
    pump();
    poll(nullptr, 0, 1);
  }
}

bool CallTracer::run(const std::function<void()>& body) {
  int gate[2];
  if (pipe(gate) != 0) fault("pipe: %s", strerror(errno));
  fflush(nullptr);
  pid_t driver = getpid();
  victim_ = fork();
  if (victim_ < 0) fault("fork: %s", strerror(errno));
  if (victim_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != driver) _exit(1);
    char byte;
    close(gate[1]);
    (void)!read(gate[0], &byte, 1);
    close(gate[0]);
    body();
    _exit(0);
  }
  close(gate[0]);
  setpgid(victim_, victim_);
  pidfd_ = mpc::Fd(static_cast<int>(syscall(SYS_pidfd_open, victim_, 0)));
  bool seized = ptrace(PTRACE_SEIZE, victim_, nullptr, kOptions) == 0;
  int error = errno;
  close(gate[1]);
  if (!seized) fault("the victim cannot be traced: %s", strerror(error));
  tasks_[victim_] = Task{victim_, Role::kParent, false};
  while (!let_go_ && !ended_) {
    int status = 0;
    pid_t tid = waitpid(-1, &status, __WALL);
    if (tid < 0 && errno == EINTR) continue;
    if (tid < 0) break;
    take(tid, status);
  }
  let_go_ = true;
  return struck_ != 0;
}

void CallTracer::pump() {
  int status = 0;
  for (pid_t tid; (tid = waitpid(-1, &status, __WALL | WNOHANG)) > 0;) take(tid, status);
}

bool CallTracer::anybody_left() const { return kill(-victim_, 0) == 0 || errno != ESRCH; }

void CallTracer::take(pid_t tid, int status) {
  if (WIFSTOPPED(status)) {
    take_stop(tid, status);
    return;
  }
  tasks_.erase(tid);
  early_.erase(tid);
  if (tid != victim_) return;
  ended_ = true;
  status_ = status;
}

void CallTracer::take_stop(pid_t tid, int status) {
  int signal = WSTOPSIG(status);
  int event = status >> 16;
  bool told_signal = event == 0 && signal != kSystemCallStop;
  if (let_go_) {
    ptrace(PTRACE_DETACH, tid, nullptr, told_signal && signal != kMark ? signal : 0);
    tasks_.erase(tid);
    return;
  }
  auto known = tasks_.find(tid);
  if (known == tasks_.end()) {
    early_.insert(tid);
    return;
  }
  if (event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK || event == PTRACE_EVENT_CLONE) {
    born(tid, event);
  } else if (event == PTRACE_EVENT_EXEC) {
    known->second.shares_memory = false;
  } else if (signal == kSystemCallStop && counts(known->second)) {
    strike(tid, known->second);
    return;
  } else if (told_signal && signal == kMark && tid == victim_) {
    ++marks_;
    told_signal = false;
  }
  go_on(tid, told_signal ? signal : 0);
}

void CallTracer::born(pid_t parent, int event) {
  unsigned long number = 0;
  ptrace(PTRACE_GETEVENTMSG, parent, nullptr, &number);
  auto tid = static_cast<pid_t>(number);
  const Task& of = tasks_.at(parent);
  tasks_[tid] = event == PTRACE_EVENT_CLONE
                    ? of
                    : Task{tid, role_of_child_of(of.role), event == PTRACE_EVENT_VFORK};
  if (early_.erase(tid) != 0) go_on(tid, 0);
}

Role CallTracer::role_of_child_of(Role parent) const {
  switch (parent) {
    case Role::kParent:
      return method_ == MPC_START_FORKSERVER ? Role::kMaker : Role::kChild;
    case Role::kMaker:
      return Role::kServer;
    case Role::kServer:
      return Role::kChild;
    default:
      return Role::kNone;
  }
}

bool CallTracer::counts(const Task& task) {
  if (task.role != moment_.role || marks_ == 0) return false;
  if (task.role == Role::kParent && marks_ != 1) return false;
  return ++stops_ == moment_.stop && moment_.strike != Strike::kNothing;
}

// Everybody else is asked to stop, so that they can be let go. Who cannot come (it waits for a
// child that shares its memory) is let go when it does.
void CallTracer::strike(pid_t tid, const Task& task) {
  struck_ = task.process;
  holds_up_parent_ = task.shares_memory;
  kill(struck_, moment_.strike == Strike::kKill ? SIGKILL : SIGSTOP);
  ptrace(PTRACE_DETACH, tid, nullptr, 0);
  tasks_.erase(tid);
  let_go_ = true;
  for (pid_t early : early_) {
    ptrace(PTRACE_DETACH, early, nullptr, 0);
    tasks_.erase(early);
  }
  early_.clear();
  for (const auto& [other, of] : tasks_) ptrace(PTRACE_INTERRUPT, other, nullptr, nullptr);
  pump();
}

void CallTracer::go_on(pid_t tid, int signal) {
  auto known = tasks_.find(tid);
  bool steps = known != tasks_.end() && known->second.role == moment_.role;
  ptrace(steps ? PTRACE_SYSCALL : PTRACE_CONT, tid, nullptr, signal);
}

}  // namespace kill_tests
