// SPDX-License-Identifier: Apache-2.0
#include "tracee.hpp"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <utility>

#include "fault.hpp"
#include "machine.hpp"

namespace kill_tests {
namespace {

constexpr long kOptions =
    PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK;

uint64_t read_code(pid_t pid, uint64_t at) {
  errno = 0;
  return static_cast<uint64_t>(ptrace(PTRACE_PEEKTEXT, pid, at, nullptr));
}

void write_code(pid_t pid, uint64_t at, uint64_t code) { ptrace(PTRACE_POKETEXT, pid, at, code); }

// A wait for a process that may not come to a stop is interrupted by a timer again and again, so
// that it can be given up.
class Ticking {
 public:
  explicit Ticking(bool wanted) : wanted_(wanted) {
    if (!wanted_) return;
    struct sigaction action = {};
    action.sa_handler = [](int) {};
    sigaction(SIGALRM, &action, &before_);
    itimerval timer{{0, 20000}, {0, 20000}};
    setitimer(ITIMER_REAL, &timer, nullptr);
  }
  ~Ticking() {
    if (!wanted_) return;
    itimerval off{};
    setitimer(ITIMER_REAL, &off, nullptr);
    sigaction(SIGALRM, &before_, nullptr);
  }

 private:
  bool wanted_;
  struct sigaction before_ = {};
};

}  // namespace

Tracee Tracee::fork(const std::function<void()>& body) {
  fflush(nullptr);
  pid_t pid = ::fork();
  if (pid < 0) fault("fork: %s", strerror(errno));
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) _exit(1);
    raise(SIGSTOP);
    body();
    _exit(0);
  }
  Tracee tracee(pid, true);
  if (waitpid(pid, &tracee.status_, __WALL) != pid || !WIFSTOPPED(tracee.status_)) {
    fault("a victim did not come to its first stop");
  }
  ptrace(PTRACE_SETOPTIONS, pid, nullptr, kOptions);
  return tracee;
}

Tracee Tracee::seize(pid_t pid) {
  if (ptrace(PTRACE_SEIZE, pid, nullptr, kOptions) != 0) {
    fault("process %d cannot be traced: %s", pid, strerror(errno));
  }
  ptrace(PTRACE_INTERRUPT, pid, nullptr, nullptr);
  Tracee tracee(pid, false);
  if (waitpid(pid, &tracee.status_, __WALL) != pid || !WIFSTOPPED(tracee.status_)) {
    fault("process %d did not stop when it was taken hold of", pid);
  }
  return tracee;
}

Tracee Tracee::adopt(pid_t pid) { return Tracee(pid, false); }

Tracee::Tracee(Tracee&& other) noexcept
    : tired(std::move(other.tired)),
      on_fork(std::move(other.on_fork)),
      pid_(other.pid_),
      child_(other.child_),
      held_(std::exchange(other.held_, false)),
      ended_(other.ended_),
      reaped_(std::exchange(other.reaped_, true)),
      status_(other.status_),
      pending_signal_(other.pending_signal_),
      breakpoint_(other.breakpoint_),
      original_(other.original_) {}

Tracee& Tracee::operator=(Tracee&& other) noexcept {
  // What this one holds goes with the other.
  std::swap(tired, other.tired);
  std::swap(on_fork, other.on_fork);
  std::swap(pid_, other.pid_);
  std::swap(child_, other.child_);
  std::swap(held_, other.held_);
  std::swap(ended_, other.ended_);
  std::swap(reaped_, other.reaped_);
  std::swap(status_, other.status_);
  std::swap(pending_signal_, other.pending_signal_);
  std::swap(breakpoint_, other.breakpoint_);
  std::swap(original_, other.original_);
  return *this;
}

Tracee::~Tracee() {
  if (held_ && !ended_) kill();
  if (!reaped_ && (ended_ || child_)) reap();
}

void wait_until_idle(pid_t pid) {
  for (;;) {
    FILE* file = fopen(("/proc/" + std::to_string(pid) + "/stat").c_str(), "re");
    if (file == nullptr) return;
    char state = 0;
    int read = fscanf(file, "%*d (%*[^)]) %c", &state);
    fclose(file);
    if (read == 1 && (state == 'S' || state == 'Z' || state == 'X')) return;
    poll(nullptr, 0, 1);
  }
}

bool tracing_is_permitted() {
  pid_t pid = ::fork();
  if (pid == 0) _exit(ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) == 0 ? 0 : 1);
  int status = -1;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return status == 0;
}

uint64_t Tracee::place() const {
  Registers registers;
  if (!read_registers(pid_, registers)) return 0;
  return kill_tests::place(registers);
}

bool Tracee::at_kernel_entry() const { return enters_kernel(read_code(pid_, place())); }

void Tracee::new_process() {
  unsigned long born = 0;
  ptrace(PTRACE_GETEVENTMSG, pid_, nullptr, &born);
  auto child = static_cast<pid_t>(born);
  int status;
  if (waitpid(child, &status, __WALL) != child || !WIFSTOPPED(status)) return;
  if (breakpoint_ != 0) write_code(child, breakpoint_, original_);
  if (on_fork) {
    on_fork(child);
  } else {
    ptrace(PTRACE_DETACH, child, nullptr, nullptr);
  }
}

Tracee::Came Tracee::wait_for_stop(int request) {
  Ticking ticking(static_cast<bool>(tired));
  for (;;) {
    pid_t answer = waitpid(pid_, &status_, __WALL);
    if (answer < 0 && errno == EINTR) {
      if (!tired || !tired()) continue;
      ptrace(PTRACE_INTERRUPT, pid_, nullptr, nullptr);
      if (waitpid(pid_, &status_, __WALL) == pid_ && WIFSTOPPED(status_)) return Came::kTired;
      answer = pid_;
    }
    if (answer != pid_) fault("waiting for a traced process: %s", strerror(errno));
    if (!WIFSTOPPED(status_)) {
      ended_ = true;
      reaped_ = true;
      held_ = false;
      return Came::kEnded;
    }
    int signal = WSTOPSIG(status_);
    int event = status_ >> 16;
    if (event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK) {
      new_process();
    } else if (event != 0) {
      // A group stop or the end of one: it goes on as before.
    } else if (signal == SIGTRAP) {
      return Came::kTrap;
    } else if (signal == (SIGTRAP | 0x80)) {
      return Came::kSystemCall;
    } else if (signal == SIGSTOP) {
      return Came::kStopSignal;
    } else {
      pending_signal_ = signal;
    }
    if (ptrace(static_cast<__ptrace_request>(request), pid_, nullptr,
               std::exchange(pending_signal_, 0)) != 0 &&
        errno != ESRCH) {
      fault("a traced process cannot go on: %s", strerror(errno));
    }
  }
}

Tracee::Came Tracee::resume(int request) {
  if (ended_) return Came::kEnded;
  if (ptrace(static_cast<__ptrace_request>(request), pid_, nullptr,
             std::exchange(pending_signal_, 0)) != 0 &&
      errno != ESRCH) {
    fault("a traced process cannot go on: %s", strerror(errno));
  }
  return wait_for_stop(request);
}

bool Tracee::step() {
  for (;;) {
    Came came = resume(PTRACE_SINGLESTEP);
    if (came == Came::kTrap) return true;
    if (came != Came::kStopSignal) return false;
  }
}

bool Tracee::step_times(uint32_t steps) {
  for (uint32_t i = 0; i < steps; ++i) {
    if (!step()) return false;
  }
  return true;
}

bool Tracee::step_until(uint64_t wanted) {
  while (place() != wanted) {
    if (!step()) return false;
  }
  return true;
}

bool Tracee::step_over_breakpoint(uint64_t at, uint64_t original) {
  write_code(pid_, at, original);
  breakpoint_ = 0;
  Registers registers;
  if (!read_registers(pid_, registers)) return false;
  set_place(registers, at);
  forget_call(registers);
  write_registers(pid_, registers);
  return step();
}

bool Tracee::run_until(uint64_t wanted) {
  if (place() == wanted) return true;
  original_ = read_code(pid_, wanted);
  breakpoint_ = wanted;
  write_code(pid_, wanted, with_breakpoint(original_));
  Came came = resume(PTRACE_CONT);
  while (came == Came::kStopSignal) came = resume(PTRACE_CONT);
  if (ended_) return false;
  write_code(pid_, wanted, original_);
  breakpoint_ = 0;
  if (came != Came::kTrap) return false;
  Registers registers;
  if (!read_registers(pid_, registers)) return false;
  set_place(registers, wanted);
  forget_call(registers);
  return write_registers(pid_, registers);
}

bool Tracee::run_to(const Point& point) {
  uint32_t seen = 0;
  // Where the process stands at the instruction already, no breakpoint would be met.
  for (;;) {
    if (place() != point.place && !run_until(point.place)) return false;
    if (!step_over_breakpoint(point.place, read_code(pid_, point.place))) return false;
    if (++seen == point.occurrence) return true;
  }
}

bool Tracee::run_to_system_call_stop() {
  Came came = resume(PTRACE_SYSCALL);
  while (came == Came::kTrap || came == Came::kStopSignal) came = resume(PTRACE_SYSCALL);
  return came == Came::kSystemCall;
}

bool Tracee::run_to_stop_signal() {
  Came came = resume(PTRACE_CONT);
  while (came == Came::kTrap || came == Came::kSystemCall) came = resume(PTRACE_CONT);
  return came == Came::kStopSignal;
}

void Tracee::let_go() {
  if (ended_) return;
  ptrace(PTRACE_DETACH, pid_, nullptr, std::exchange(pending_signal_, 0));
  held_ = false;
}

void Tracee::kill() {
  if (ended_ || !held_) return;
  ::kill(pid_, SIGKILL);
  held_ = false;
  ended_ = true;
  // The death itself, not yet the reaping: the zombie stays to be found by who sweeps.
  siginfo_t info;
  while (waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT | __WALL) != 0 &&
         errno == EINTR) {
  }
}

void Tracee::reap() {
  if (reaped_) return;
  while (waitpid(pid_, &status_, __WALL) < 0 && errno == EINTR) {
  }
  reaped_ = true;
  ended_ = true;
}

int Tracee::wait_for_end() {
  reap();
  return status_;
}

}  // namespace kill_tests
