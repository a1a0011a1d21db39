// SPDX-License-Identifier: Apache-2.0
// A pidfd that is kept for a while.
//
// A program that closes descriptors it did not open may have given the number to a file of its own
// meanwhile: so it is asked what it is before each use, and is not closed where it is not ours.
#ifndef MPC_OS_HELD_PIDFD_HPP
#define MPC_OS_HELD_PIDFD_HPP

#include <cstdint>
#include <utility>

namespace mpc {

class HeldPidfd {
 public:
  HeldPidfd() = default;
  ~HeldPidfd();
  HeldPidfd(HeldPidfd&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), device_(other.device_), inode_(other.inode_) {}
  HeldPidfd& operator=(HeldPidfd&& other) noexcept;

  // Opens it if it is not open. False if no process has the pid, or one with another identity has
  // (an `identity` of 0 fits any). True without a descriptor where none can be had.
  bool open(int32_t pid, uint64_t identity);

  // The identity of a child that nobody has reaped yet, by a descriptor that stays open.
  uint64_t identify(int32_t pid);

  // The descriptor right after open().
  int just_opened() const { return fd_; }

  // The descriptor, -1 where there is none (any more).
  int get();

 private:
  int fd_ = -1;
  unsigned long device_ = 0;
  unsigned long inode_ = 0;
};

}  // namespace mpc

#endif
