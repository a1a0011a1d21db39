// SPDX-License-Identifier: Apache-2.0
// A process held by ptrace, which goes on one instruction or one system call at a time.
//
// Breakpoints make the way to a known instruction short: they are written into the process's own
// copy of the code. A process that it forks has that copy too, so each one is stopped at birth, put
// right and let go, or handed to whoever wants to hold it.
#ifndef MPC_TESTS_KILL_TRACEE_HPP
#define MPC_TESTS_KILL_TRACEE_HPP

#include <sys/types.h>

#include <cstdint>
#include <functional>

namespace kill_tests {

// The n-th time that an instruction was carried out since counting began, right behind it.
struct Point {
  uint64_t place = 0;
  uint32_t occurrence = 0;
  uint32_t steps = 0;   // how many instructions were carried out up to here
  bool kernel = false;  // the instruction entered the kernel
  bool operator==(const Point&) const = default;
};

class Tracee {
 public:
  // Forks a process that runs `body` and never returns from it; held at its first instruction.
  static Tracee fork(const std::function<void()>& body);
  // Takes hold of a process that runs already.
  static Tracee seize(pid_t pid);
  // A process that was stopped at its birth because its parent is held.
  static Tracee adopt(pid_t pid);

  Tracee(Tracee&& other) noexcept;
  Tracee& operator=(Tracee&& other) noexcept;
  // Kills it if it is still held.
  ~Tracee();

  pid_t pid() const { return pid_; }
  bool ended() const { return ended_; }
  int wait_status() const { return status_; }

  // Where the next instruction is.
  uint64_t place() const;
  bool at_kernel_entry() const;

  // All of these answer false when the process has ended instead, or when `tired` said so.
  bool step();
  bool run_until(uint64_t place);   // by a breakpoint
  bool step_until(uint64_t place);  // by single steps
  bool step_times(uint32_t steps);
  bool run_to(const Point& point);  // by a breakpoint, counting from here
  bool run_to_system_call_stop();   // alternately before and behind each call
  bool run_to_stop_signal();        // until it stops itself by SIGSTOP

  // Lets it go; it runs on by itself.
  void let_go();
  // Kills it. The zombie stays until reap().
  void kill();
  void reap();
  // Waits until a process that was let go has ended; its wait status.
  int wait_for_end();

  // Asked from time to time while the process does not come to a stop; true gives up waiting.
  std::function<bool()> tired;
  // Called with each process that it forks, held at birth. The default lets it go.
  std::function<void(pid_t)> on_fork;

 private:
  explicit Tracee(pid_t pid, bool child) : pid_(pid), child_(child) {}
  enum class Came { kTrap, kSystemCall, kStopSignal, kEnded, kTired };
  Came resume(int request);
  Came wait_for_stop(int request);
  void new_process();
  bool step_over_breakpoint(uint64_t at, uint64_t original);

  pid_t pid_ = -1;
  bool child_ = false;  // ours: its zombie is ours to reap
  bool held_ = true;
  bool ended_ = false;
  bool reaped_ = false;
  int status_ = 0;
  int pending_signal_ = 0;
  uint64_t breakpoint_ = 0;  // where one is written now, 0: nowhere
  uint64_t original_ = 0;
};

// Comes back when a process has done what it can: it sleeps or has ended.
void wait_until_idle(pid_t pid);

// False in a container whose filter forbids ptrace.
bool tracing_is_permitted();

}  // namespace kill_tests

#endif
