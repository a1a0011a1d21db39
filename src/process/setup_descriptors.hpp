// SPDX-License-Identifier: Apache-2.0
// The descriptors that a child is given, opened by its creator for the time of the start.
#ifndef MPC_PROCESS_SETUP_DESCRIPTORS_HPP
#define MPC_PROCESS_SETUP_DESCRIPTORS_HPP

#include <array>
#include <utility>
#include <vector>

#include "base/fd.hpp"
#include "process/setup.hpp"

namespace mpc {

// The creator's end of a pipe to a child, until the program takes it. Known by its inode: a program
// that closes what it did not open may have given the number to a file of its own.
class HeldPipe {
 public:
  HeldPipe() = default;
  explicit HeldPipe(Fd fd);
  HeldPipe(HeldPipe&& other) noexcept { *this = std::move(other); }
  HeldPipe& operator=(HeldPipe&& other) noexcept;
  ~HeldPipe();

  // The descriptor, which is the caller's from then on; -1 where there is none (any more).
  int take();

 private:
  int fd_ = -1;
  unsigned long device_ = 0;
  unsigned long inode_ = 0;
};

class SetupDescriptors {
 public:
  SetupDescriptors() = default;

  // REQUIRES: this thread is the one that starts a child (see Starting), so that no other child
  // inherits an end of its pipes.
  static Result<SetupDescriptors> open(const ProcessSetup& setup);

  // The creator's number and the child's, for all that is not as it is for every child. The
  // creator's are above 2, and none is the child's number of another pair: they may be put in
  // place in any order.
  const std::vector<std::pair<int, int>>& passed() const { return passed_; }

  // Whether the child is given something under this number.
  bool gives(int number) const;

  // In a forked child: puts them in place and closes what only its creator needs.
  Result<void> put() const;

  // The creator's ends of the pipes.
  std::array<HeldPipe, 3> take_pipes();

 private:
  Result<Fd> open_stream(const StandardStream& stream, int number);
  Result<void> pass(int from, int to);
  Result<Fd> clear_of_targets(int from) const;

  std::vector<int> targets_;
  std::vector<std::pair<int, int>> passed_;
  std::vector<Fd> opened_;
  std::array<Fd, 3> pipes_;
};

}  // namespace mpc

#endif
