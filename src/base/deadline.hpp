// SPDX-License-Identifier: Apache-2.0
// A point on the monotonic clock at which a wait gives up, or never.
#ifndef MPC_BASE_DEADLINE_HPP
#define MPC_BASE_DEADLINE_HPP

#include <time.h>

#include <cstdint>

#include <mpc/base.h>

namespace mpc {

inline int64_t monotonic_ns() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1000000000 + now.tv_nsec;
}

class Deadline {
 public:
  // A timeout as every public call takes it: MPC_FOREVER waits, other negatives poll.
  static Deadline after(int64_t timeout_ns) {
    if (timeout_ns == MPC_FOREVER) return Deadline(kNever);
    int64_t now = monotonic_ns();
    if (timeout_ns <= 0) return Deadline(now);
    return Deadline(timeout_ns > kNever - 1 - now ? kNever - 1 : now + timeout_ns);
  }
  static Deadline at(int64_t ns) { return Deadline(ns); }

  bool never() const { return at_ == kNever; }
  bool past() const { return !never() && monotonic_ns() >= at_; }
  int64_t ns() const { return at_; }

  // What is left, at least 0 and at most `most`.
  int64_t left(int64_t most) const {
    if (never()) return most;
    int64_t left = at_ - monotonic_ns();
    if (left < 0) return 0;
    return left < most ? left : most;
  }

 private:
  static constexpr int64_t kNever = INT64_MAX;
  explicit Deadline(int64_t at) : at_(at) {}
  int64_t at_;
};

}  // namespace mpc

#endif
