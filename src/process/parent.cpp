// SPDX-License-Identifier: Apache-2.0
#include "process/parent.hpp"

#include <time.h>

#include "os/held_pidfd.hpp"
#include "os/identity.hpp"

namespace mpc {
namespace {

constexpr int64_t kLongestSleep = 1000000000;  // with a pidfd: only against the unforeseen
constexpr int64_t kShortestSleep = 5000000;    // without one

}  // namespace

Result<Parent> parent() {
  Self known = self();
  if (known.parent_pid == 0) {
    return failure(MPC_ESTATE, "%s has no parent: this library did not start it",
                   known.name.c_str());
  }
  return Parent{known.parent_pid, known.parent_identity, known.parent_name};
}

bool Parent::alive() const { return process_life(pid, identity) == Life::kAlive; }

bool Parent::join(Deadline deadline) const {
  HeldPidfd pidfd;
  for (;;) {
    if (!pidfd.open(pid, identity)) return true;
    int fd = pidfd.get();
    if (fd >= 0 ? pidfd_ended(fd, 0) : !alive()) return true;
    int64_t left = deadline.left(fd >= 0 ? kLongestSleep : kShortestSleep);
    if (left == 0) return false;
    if (fd >= 0) {
      pidfd_ended(fd, left);
    } else {
      timespec sleep{0, static_cast<long>(left)};
      nanosleep(&sleep, nullptr);
    }
  }
}

}  // namespace mpc
