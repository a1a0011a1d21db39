// SPDX-License-Identifier: Apache-2.0
// What can be done with a process besides starting it, joining it and sending it a signal.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "os/held_pidfd.hpp"
#include "os/identity.hpp"
#include "process/children.hpp"
#include "process/process.hpp"
#include "process/tree.hpp"

namespace mpc {
namespace {

// How long a child may take for its first steps until it is tied.
constexpr int64_t kPatience = 1000000000;
constexpr int64_t kNap = 500000;

}  // namespace

Result<void> Process::check_started_locked() const {
  if (Result<void> open = check_open(); !open) return open;
  if (state_ != MPC_PROCESS_INITIAL) return {};
  return failure(MPC_ESTATE, "process %s was not started", plan_.name.c_str());
}

Result<mpc_stop_way> Process::stop(int64_t grace_ns) {
  Result<bool> terminated = signal_if_running(SIGTERM);
  if (!terminated) return terminated.error();
  if (!*terminated) return MPC_STOP_NOTHING;
  Result<bool> ended = join(Deadline::after(grace_ns));
  if (!ended) return ended.error();
  if (*ended) return MPC_STOP_TERMINATED;
  Result<bool> killed = signal_if_running(SIGKILL);
  if (!killed) return killed.error();
  if (Result<bool> joined = join(Deadline::after(MPC_FOREVER)); !joined) return joined.error();
  return *killed ? MPC_STOP_KILLED : MPC_STOP_TERMINATED;
}

Result<void> Process::send_signal_to_tree(int signal) {
  if (Result<void> mine = check_mine(); !mine) return mine;
  TreeRoot root;
  {
    std::lock_guard guard(mutex_);
    if (Result<void> started = check_started_locked(); !started) return started;
    if (reap_locked()) return {};
    root = {record_, pid_, group_.participant(record_.index()).identity.load()};
    // Nobody but this process reaps it, so that it is this one still.
    if (root.identity == 0) root.identity = process_identity(pid_);
  }
  return signal_tree(group_, root, signal);
}

Result<Fd> Process::sentinel() {
  if (Result<void> mine = check_mine(); !mine) return mine.error();
  std::lock_guard guard(mutex_);
  if (Result<void> started = check_started_locked(); !started) return started.error();
  HeldPidfd pidfd;
  bool ended = reap_locked(pidfd);
  int held = pidfd.get();
  Fd fd;
  if (held >= 0) {
    fd = Fd(fcntl(held, F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
  } else if (ended) {
    // The kernel has forgotten the process.
    fd = above_standard(Fd(eventfd(1, EFD_CLOEXEC)));
  } else {
    errno = EMFILE;
  }
  if (!fd) return system_failure("a sentinel", errno);
  return fd;
}

// False where it is not known yet: the child has not come so far.
Result<bool> Process::untied() {
  std::lock_guard guard(mutex_);
  if (Result<void> started = check_started_locked(); !started) return started.error();
  HeldPidfd pidfd;
  if (reap_locked(pidfd)) return true;
  if (pidfd.get() < 0) return system_failure("pidfd_open", EMFILE);
  switch (untie_child(pidfd.get(), pid_)) {
    case Untied::kYes:
      detached_.store(true);
      return true;
    case Untied::kRefused:
      return failure(MPC_ENOTSUP,
                     "the kernel does not let this process at the descriptors of process %d (%s); "
                     "detach it before its start",
                     pid_, strerrorname_np(errno));
    case Untied::kNotFound:
      break;
  }
  return false;
}

Result<void> Process::detach() {
  if (Result<void> mine = check_mine(); !mine) return mine;
  {
    std::lock_guard guard(mutex_);
    if (Result<void> open = check_open(); !open) return open;
    if (state_ == MPC_PROCESS_INITIAL) {
      plan_.detach = true;
      detached_.store(true);
    }
  }
  if (detached()) return {};
  Deadline deadline = Deadline::after(kPatience);
  for (;;) {
    Result<bool> done = untied();
    if (!done) return done.error();
    if (*done) return {};
    if (deadline.past()) break;
    timespec nap{0, kNap};
    nanosleep(&nap, nullptr);
  }
  return failure(MPC_ENOTSUP,
                 "process %d is not tied in a way that can be undone from here, or was not after a "
                 "second; detach it before its start",
                 started_pid());
}

Result<mpc_process_usage> Process::usage() {
  if (Result<void> mine = check_mine(); !mine) return mine.error();
  std::lock_guard guard(mutex_);
  if (Result<void> started = check_started_locked(); !started) return started.error();
  if (!reap_locked()) {
    return failure(MPC_ESTATE, "process %s has not ended", plan_.name.c_str());
  }
  return usage_;
}

Result<bool> Process::is_daemon() {
  std::unique_lock<std::mutex> guard = lock_if_mine();
  if (Result<void> open = check_open(); !open) return open.error();
  return plan_.daemon;
}

Result<void> Process::set_daemon(bool daemon) {
  if (Result<void> mine = check_mine(); !mine) return mine;
  std::lock_guard guard(mutex_);
  if (Result<void> open = check_open(); !open) return open;
  if (state_ != MPC_PROCESS_INITIAL) {
    return failure(MPC_ESTATE, "process %s was started already; whether it is a daemon is settled",
                   plan_.name.c_str());
  }
  plan_.daemon = daemon;
  return {};
}

}  // namespace mpc
