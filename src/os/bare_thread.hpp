// SPDX-License-Identifier: Apache-2.0
// A kernel thread with a descriptor table of its own, which holds open what no code of the program
// may close or inherit, and does one small thing with it.
//
// It is made by clone() and not by pthread_create(): the C library would wait for it where a
// program leaves main by pthread_exit(), and does not know how to give it a table of its own. So it
// runs without the C library: no errno, no thread-local storage, no instrumentation. What stands
// here for it to call is inlined into its function, which is marked MPC_BARE.
#ifndef MPC_OS_BARE_THREAD_HPP
#define MPC_OS_BARE_THREAD_HPP

#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "os/raw_syscall.hpp"

#define MPC_BARE \
  __attribute__((no_sanitize("address"), no_sanitize("thread"), no_sanitize("undefined"), noinline))

namespace mpc {

struct BareThread {
  int kept_fd = -1;                // stays open in the thread's table, under its number
  std::atomic<uint32_t> ready{0};  // 0: starting; 1: it serves; else errno + 1
  std::atomic<uint32_t> stop{0};
  std::atomic<int32_t> tid{0};  // cleared and woken by the kernel when the thread is gone
  bool copied_table = false;
};

// Starts `run`, which is given `thread` and calls what stands below in this order, and waits until
// it has said how it went: 0, or the errno of what failed; then the thread is gone. REQUIRES:
// `thread` runs none in this process; in a forked child it may still say that it does.
int bare_thread_start(BareThread& thread, int (*run)(void*), char* stack, size_t stack_size);

// Waits until the thread has seen `stop` and is gone.
void bare_thread_join(BareThread& thread);

// --- for the thread itself -----------------------------------------------------------------------

inline constexpr long kClosedOneByOne = 65536;

// An empty table of its own, in one step: of the program's descriptors nothing but `kept_fd` is
// kept open here. Less than 0: -errno.
[[gnu::always_inline]] inline long bare_thread_empty_table(const BareThread& thread) {
  if (thread.copied_table) {
    for (long fd = 0; fd < kClosedOneByOne; ++fd) {
      if (fd != thread.kept_fd) raw_syscall(SYS_close, fd);
    }
    return 0;
  }
  if (thread.kept_fd > 0) {
    long result = raw_syscall(SYS_close_range, 0, thread.kept_fd - 1, CLOSE_RANGE_UNSHARE);
    return result < 0 ? result : raw_syscall(SYS_close_range, thread.kept_fd + 1, ~0u, 0);
  }
  return raw_syscall(SYS_close_range, 0, ~0u, CLOSE_RANGE_UNSHARE);
}

// Tells the starter 0 or -errno.
[[gnu::always_inline]] inline void bare_thread_ready(BareThread& thread, long result) {
  thread.ready.store(result == 0 ? 1 : static_cast<uint32_t>(-result) + 1);
  raw_syscall(SYS_futex, reinterpret_cast<long>(&thread.ready), FUTEX_WAKE, 1);
}

[[gnu::always_inline]] inline int bare_thread_exit() {
  raw_syscall(SYS_exit, 0);
  return 0;
}

}  // namespace mpc

#endif
