// SPDX-License-Identifier: Apache-2.0
// Runs a victim and all that comes of it under ptrace, counts the system-call stops of one of them
// (one stop before each call and one behind), kills or stops that one at a given one, and lets all
// others go.
#ifndef MPC_TESTS_KILL_CALL_TRACER_HPP
#define MPC_TESTS_KILL_CALL_TRACER_HPP

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <set>

#include <mpc/process.h>

#include "base/fd.hpp"

namespace kill_tests {

// What a process is to the start that is looked at.
enum class Role {
  kParent,  // the victim itself, with all its threads
  kMaker,   // the process whose child the fork server is
  kServer,
  kChild,
  kNone
};
const char* role_name(Role role);

enum class Strike { kNothing, kKill, kStop };

struct Moment {
  Role role = Role::kNone;
  uint32_t stop = 0;  // the n-th of that role
  Strike strike = Strike::kNothing;
};

// In the victim: from here on stops count, and from the next one on its own no longer.
void mark();

class CallTracer {
 public:
  CallTracer(mpc_start_method method, const Moment& moment) : method_(method), moment_(moment) {}
  ~CallTracer();
  CallTracer(const CallTracer&) = delete;
  CallTracer& operator=(const CallTracer&) = delete;

  // Runs `body` in a fork of this process, which leads a process group of its own. True when the
  // moment came; false when the victim ended before.
  bool run(const std::function<void()>& body);

  // Takes note of what has happened to those who were let go. Called again and again by whoever
  // waits for anything about them.
  void pump();

  pid_t victim() const { return victim_; }
  int victim_pidfd() const { return pidfd_.get(); }
  pid_t struck() const { return struck_; }
  // Whether its parent cannot go on without it, whatever the library does.
  bool struck_holds_up_parent() const { return holds_up_parent_; }
  uint32_t stops() const { return stops_; }
  bool victim_ended() const { return ended_; }
  int wait_status() const { return status_; }
  // Whether the victim or any descendant of it is left, the ended but not reaped ones included.
  bool anybody_left() const;

 private:
  struct Task {
    pid_t process;
    Role role;
    bool shares_memory;  // with its parent, which the kernel holds up until it has an image
  };

  void take(pid_t tid, int status);
  void take_stop(pid_t tid, int status);
  void born(pid_t parent, int event);
  bool counts(const Task& task);
  void strike(pid_t tid, const Task& task);
  void go_on(pid_t tid, int signal);
  Role role_of_child_of(Role parent) const;

  mpc_start_method method_;
  Moment moment_;
  pid_t victim_ = 0;
  mpc::Fd pidfd_;
  pid_t struck_ = 0;
  bool holds_up_parent_ = false;
  uint32_t stops_ = 0;
  uint32_t marks_ = 0;
  bool let_go_ = false;
  bool ended_ = false;
  int status_ = 0;
  std::map<pid_t, Task> tasks_;
  std::set<pid_t> early_;  // stopped at birth, and nobody has said yet whose they are
};

}  // namespace kill_tests

#endif
