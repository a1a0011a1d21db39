// SPDX-License-Identifier: Apache-2.0
// For tests of processes that outlive their parent.
#ifndef MPC_TESTS_SUPPORT_SUBREAPER_HPP
#define MPC_TESTS_SUPPORT_SUBREAPER_HPP

#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "support/wait.hpp"

namespace mpc::test {

// While it exists orphans become this process's children.
class Subreaper {
 public:
  Subreaper() { prctl(PR_SET_CHILD_SUBREAPER, 1); }
  ~Subreaper() { prctl(PR_SET_CHILD_SUBREAPER, 0); }
  Subreaper(const Subreaper&) = delete;
  Subreaper& operator=(const Subreaper&) = delete;

  // Reaps all children that there are; false if one does not end.
  static bool all_end() {
    for (int64_t deadline = now_ns() + kLongEnough; now_ns() < deadline;) {
      pid_t ended = waitpid(-1, nullptr, WNOHANG);
      if (ended > 0) continue;
      if (ended < 0 || children_but_servers() == 0) return true;
      sched_yield();
    }
    return false;
  }
};

}  // namespace mpc::test

#endif
