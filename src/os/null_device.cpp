// SPDX-License-Identifier: Apache-2.0
#include "os/null_device.hpp"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/child_page.hpp"
#include "os/raw_syscall.hpp"

namespace mpc {
namespace {

constexpr int kMark = 63;
MPC_CHILD_PAGE int kept = -1;

bool is_ours() { return kept >= 0 && raw_syscall(SYS_fcntl, kept, F_GETSIG) == kMark; }

}  // namespace

void null_device_keep() {
  if (is_ours()) return;
  int opened = open("/dev/null", O_RDWR | O_CLOEXEC);
  // Standard descriptors that the program has closed stay closed.
  if (opened >= 0 && opened <= STDERR_FILENO) {
    kept = fcntl(opened, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    close(opened);
  } else {
    kept = opened;
  }
  if (kept >= 0) fcntl(kept, F_SETSIG, kMark);
}

int null_device_number() { return is_ours() ? kept : -1; }

MPC_CHILD_CODE void null_device_put(int descriptor) {
  if (!is_ours()) null_device_keep();
  // Past the C library, whose code is not in a fresh child yet.
  if (kept >= 0) raw_syscall(SYS_dup3, kept, descriptor, 0);
}

void null_device_close() {
  if (is_ours()) close(kept);
  kept = -1;
}

}  // namespace mpc
