// SPDX-License-Identifier: Apache-2.0
#include "os/held_pidfd.hpp"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/file_status.hpp"
#include "os/identity.hpp"
#include "os/spare_descriptor.hpp"

namespace mpc {

HeldPidfd::~HeldPidfd() {
  if (get() >= 0) close(fd_);
}

HeldPidfd& HeldPidfd::operator=(HeldPidfd&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(device_, other.device_);
  std::swap(inode_, other.inode_);
  return *this;
}

uint64_t HeldPidfd::identify(int32_t pid) {
  return open(pid, 0) && fd_ >= 0 ? pidfd_identity(fd_, pid) : 0;
}

int HeldPidfd::get() {
  if (fd_ >= 0 && !same_file(fd_, device_, inode_)) fd_ = -1;
  return fd_;
}

bool HeldPidfd::open(int32_t pid, uint64_t identity) {
  if (get() >= 0) return true;
  Fd fd = above_standard(open_pidfd(pid));
  // ENOENT and EINVAL: the number is now a thread's that is not a process's first.
  if (!fd) return errno != ESRCH && errno != ENOENT && errno != EINVAL;
  if (identity != 0 && pidfd_identity(fd.get(), pid) != identity) return false;
  struct stat st;
  if (file_status(fd.get(), st) != 0) return true;
  device_ = st.st_dev;
  inode_ = st.st_ino;
  fd_ = fd.release();
  return true;
}

}  // namespace mpc
