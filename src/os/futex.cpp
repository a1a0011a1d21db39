// SPDX-License-Identifier: Apache-2.0
#include "os/futex.hpp"

#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

namespace mpc {

void futex_wait(const void* word, uint32_t expected, int64_t timeout_ns) {
  if (timeout_ns <= 0) return;
  int saved_errno = errno;
  timespec timeout{static_cast<time_t>(timeout_ns / 1000000000),
                   static_cast<long>(timeout_ns % 1000000000)};
  syscall(SYS_futex, word, FUTEX_WAIT, expected, &timeout, nullptr, 0);
  errno = saved_errno;
}

void futex_wake(const void* word, int count) {
  int saved_errno = errno;
  syscall(SYS_futex, word, FUTEX_WAKE, count, nullptr, nullptr, 0);
  errno = saved_errno;
}

}  // namespace mpc
