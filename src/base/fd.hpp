// SPDX-License-Identifier: Apache-2.0
// A descriptor that is closed when its owner goes.
#ifndef MPC_BASE_FD_HPP
#define MPC_BASE_FD_HPP

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <utility>

namespace mpc {

class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd() { reset(); }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }
  void reset() {
    if (fd_ >= 0) close(std::exchange(fd_, -1));
  }

 private:
  int fd_ = -1;
};

// Moves a descriptor away from the numbers of standard input, output and error: where the program
// has closed those, what it prints, or gives a child to read, would land in it.
inline Fd above_standard(Fd fd) {
  if (!fd || fd.get() > STDERR_FILENO) return fd;
  Fd moved(fcntl(fd.get(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
  int error = errno;
  fd.reset();
  errno = error;
  return moved;
}

}  // namespace mpc

#endif
