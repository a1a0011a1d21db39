// SPDX-License-Identifier: Apache-2.0
#include "os/spare_descriptor.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>

#include "base/child_page.hpp"
#include "os/file_status.hpp"

namespace mpc {
namespace {

struct Spare {
  std::atomic<int> fd{-1};
  std::atomic<int> source{-1};
  unsigned long device = 0;
  unsigned long inode = 0;
};
Spare spare;

}  // namespace

MPC_CHILD_CODE bool same_file(int fd, unsigned long device, unsigned long inode) {
  struct stat st;
  return fd >= 0 && file_status(fd, st) == 0 && st.st_dev == device && st.st_ino == inode;
}

MPC_CHILD_CODE void spare_set(int fd) {
  spare_clear();
  struct stat st;
  if (file_status(fd, st) != 0) return;
  spare.device = st.st_dev;
  spare.inode = st.st_ino;
  spare.source.store(fd);
  spare_restore();
}

MPC_CHILD_CODE void spare_clear() {
  spare_give_up();
  spare.source.store(-1);
}

MPC_CHILD_CODE bool spare_give_up() {
  int fd = spare.fd.exchange(-1);
  return same_file(fd, spare.device, spare.inode) && close(fd) == 0;
}

MPC_CHILD_CODE void spare_restore() {
  int source = spare.source.load();
  if (spare.fd.load() >= 0 || !same_file(source, spare.device, spare.inode)) return;
  // High numbers are left to programs that count on low ones.
  int fd = fcntl(source, F_DUPFD_CLOEXEC, 3);
  int none = -1;
  if (fd >= 0 && !spare.fd.compare_exchange_strong(none, fd)) close(fd);
}

}  // namespace mpc
