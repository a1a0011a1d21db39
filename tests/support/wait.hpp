// SPDX-License-Identifier: Apache-2.0
// Waiting for what another process or thread does, without sleeping.
#ifndef MPC_TESTS_SUPPORT_WAIT_HPP
#define MPC_TESTS_SUPPORT_WAIT_HPP

#include <sys/mman.h>
#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <new>

namespace mpc::test {

// How long something may take that has to happen.
inline constexpr int64_t kLongEnough = 30'000'000'000;
// How long something is watched that must not happen.
inline constexpr int64_t kLongerThanAnyTick = 300'000'000;
// By how much a timeout may be early: the clocks of the kernel's timers are coarser than ours.
inline constexpr int64_t kTolerance = 2'000'000;

// A number on which processes wait that share it.
class Count {
 public:
  uint32_t value() const { return value_.load(); }
  void set(uint32_t value);
  // One more; the new value.
  uint32_t add();
  // Waits until it is at least `value`; false after kLongEnough.
  bool reaches(uint32_t value) const;

 private:
  std::atomic<uint32_t> value_{0};
};

// Memory for one T that is shared with all children, whoever forks them. T must be fit for it:
// plain numbers, atomics and Counts.
template <class T>
class SharedPage {
 public:
  SharedPage()
      : value_(new (mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
                         0)) T()) {}
  ~SharedPage() { munmap(value_, sizeof(T)); }
  SharedPage(const SharedPage&) = delete;
  SharedPage& operator=(const SharedPage&) = delete;
  T* get() const { return value_; }
  T* operator->() const { return value_; }
  T& operator*() const { return *value_; }

 private:
  T* value_;
};

int64_t now_ns();

// A raw fork, as a host does it. The child dies with its parent and leaves by _exit().
template <class Body>
pid_t fork_and(Body body);

// The status of a child that this process forked: its exit code, or -N for signal N.
int wait_for(pid_t child);

// Whether a process of any parent ends within a time. A child that is not reaped has ended.
bool ends_within(pid_t pid, int64_t timeout_ns);

// How many children this process has but for fork servers, which come to a process that orphans
// come to.
size_t children_but_servers();  // servers that have ended are reaped

// Waits until a child is stopped by a signal.
bool is_stopped(pid_t child);

pid_t begin_fork();
[[noreturn]] void end_fork(int exit_code);

template <class Body>
pid_t fork_and(Body body) {
  pid_t pid = begin_fork();
  if (pid == 0) end_fork(body());
  return pid;
}

}  // namespace mpc::test

#endif
