// SPDX-License-Identifier: Apache-2.0
// fstat() past the C library, whose own asks for the empty path, from a page that a fresh image
// does not have yet.
#ifndef MPC_OS_FILE_STATUS_HPP
#define MPC_OS_FILE_STATUS_HPP

#include <sys/stat.h>
#include <sys/syscall.h>

#include "os/raw_syscall.hpp"

namespace mpc {

// 0, or the errno of the failure.
inline int file_status(int fd, struct stat& out_status) {
  out_status = {};
  return static_cast<int>(-raw_syscall(SYS_fstat, fd, reinterpret_cast<long>(&out_status)));
}

}  // namespace mpc

#endif
