// SPDX-License-Identifier: Apache-2.0
#include "process/setup_descriptors.hpp"

#include <errno.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>

#include "os/spare_descriptor.hpp"

namespace mpc {
namespace {

constexpr mode_t kNewFile = 0666;  // less the umask

Error stream_failure(const char* what, int number, int error_number) {
  std::string call =
      std::string(what) + " for descriptor " + std::to_string(number) + " of a child";
  return system_failure(call.c_str(), error_number);
}

// Nothing may wait here: a FIFO is opened without, and used with, waiting.
Result<Fd> open_file(const StandardStream& stream, int number) {
  int flags = O_RDONLY;
  if (number != STDIN_FILENO) {
    flags = O_WRONLY | O_CREAT | (stream.kind == MPC_STDIO_APPEND ? O_APPEND : O_TRUNC);
  }
  Fd fd(::open(stream.path.c_str(), flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, kNewFile));
  if (!fd) return stream_failure(("opening " + stream.path).c_str(), number, errno);
  int status = fcntl(fd.get(), F_GETFL);
  if (status < 0 || fcntl(fd.get(), F_SETFL, status & ~O_NONBLOCK) != 0) {
    return stream_failure(("opening " + stream.path).c_str(), number, errno);
  }
  return fd;
}

// Under the limit of the creator: a child's own is set after its descriptors are in place.
Result<void> check_numbers(const std::vector<mpc_descriptor>& descriptors) {
  if (descriptors.empty()) return {};
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  for (const mpc_descriptor& extra : descriptors) {
    if (static_cast<rlim_t>(extra.child) < limit.rlim_cur) continue;
    return stream_failure("a place above RLIMIT_NOFILE", extra.child, EBADF);
  }
  return {};
}

bool is_open(int fd) { return fcntl(fd, F_GETFD) >= 0; }

}  // namespace

HeldPipe::HeldPipe(Fd fd) {
  struct stat st;
  if (!fd || fstat(fd.get(), &st) != 0) return;
  fd_ = fd.release();
  device_ = st.st_dev;
  inode_ = st.st_ino;
}

HeldPipe& HeldPipe::operator=(HeldPipe&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(device_, other.device_);
  std::swap(inode_, other.inode_);
  return *this;
}

HeldPipe::~HeldPipe() {
  if (int fd = take(); fd >= 0) close(fd);
}

int HeldPipe::take() {
  int fd = std::exchange(fd_, -1);
  return same_file(fd, device_, inode_) ? fd : -1;
}

Result<SetupDescriptors> SetupDescriptors::open(const ProcessSetup& setup) {
  if (Result<void> good = check_numbers(setup.descriptors); !good) return good.error();
  SetupDescriptors all;
  for (int number = 0; number < 3; ++number) {
    const StandardStream& stream = setup.streams[static_cast<size_t>(number)];
    bool as_ever = stream.kind == MPC_STDIO_DEFAULT ||
                   (stream.kind == MPC_STDIO_INHERIT && (number != 0 || !is_open(STDIN_FILENO)));
    if (!as_ever) all.targets_.push_back(number);
  }
  size_t streams = all.targets_.size();
  for (const mpc_descriptor& extra : setup.descriptors) all.targets_.push_back(extra.child);

  for (size_t i = 0; i < streams; ++i) {
    int number = all.targets_[i];
    const StandardStream& stream = setup.streams[static_cast<size_t>(number)];
    if (stream.kind == MPC_STDIO_INHERIT || stream.kind == MPC_STDIO_DESCRIPTOR) {
      int from = stream.kind == MPC_STDIO_INHERIT ? number : stream.descriptor;
      if (Result<void> passed = all.pass(from, number); !passed) return passed.error();
      continue;
    }
    Result<Fd> opened = all.open_stream(stream, number);
    if (!opened) return opened.error();
    *opened = above_standard(std::move(*opened));
    if (!*opened) return stream_failure("a place", number, errno);
    if (Result<void> passed = all.pass(opened->get(), number); !passed) return passed.error();
    all.opened_.push_back(std::move(*opened));
  }
  for (const mpc_descriptor& extra : setup.descriptors) {
    if (Result<void> passed = all.pass(extra.parent, extra.child); !passed) return passed.error();
  }
  return all;
}

Result<Fd> SetupDescriptors::open_stream(const StandardStream& stream, int number) {
  if (stream.kind == MPC_STDIO_FILE || stream.kind == MPC_STDIO_APPEND) {
    return open_file(stream, number);
  }
  if (stream.kind == MPC_STDIO_NULL) {
    Fd fd(::open("/dev/null", O_RDWR | O_CLOEXEC));
    if (!fd) return stream_failure("opening /dev/null", number, errno);
    return fd;
  }
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return stream_failure("making a pipe", number, errno);
  Fd read_end(ends[0]);
  Fd write_end(ends[1]);
  Fd& ours = number == STDIN_FILENO ? write_end : read_end;
  Fd& theirs = number == STDIN_FILENO ? read_end : write_end;
  ours = above_standard(std::move(ours));
  if (!ours) return stream_failure("making a pipe", number, errno);
  pipes_[static_cast<size_t>(number)] = std::move(ours);
  return std::move(theirs);
}

Result<Fd> SetupDescriptors::clear_of_targets(int from) const {
  int least = STDERR_FILENO + 1;
  for (;;) {
    Fd fd(fcntl(from, F_DUPFD_CLOEXEC, least));
    if (!fd) return stream_failure("a duplicate of a descriptor", from, errno);
    if (!gives(fd.get())) return fd;
    least = fd.get() + 1;
  }
}

// A number that the child has something else under, or that every child's own /dev/null is put
// under first, is no place to take it from.
Result<void> SetupDescriptors::pass(int from, int to) {
  if (!is_open(from)) {
    std::string what = "the creator's descriptor " + std::to_string(from);
    return stream_failure(what.c_str(), to, errno);
  }
  bool in_the_way = from <= STDERR_FILENO || (from != to && gives(from));
  if (in_the_way) {
    Result<Fd> moved = clear_of_targets(from);
    if (!moved) return moved.error();
    from = moved->get();
    opened_.push_back(std::move(*moved));
  }
  passed_.emplace_back(from, to);
  return {};
}

bool SetupDescriptors::gives(int number) const {
  return std::find(targets_.begin(), targets_.end(), number) != targets_.end();
}

Result<void> SetupDescriptors::put() const {
  for (auto [from, to] : passed_) {
    int result = from == to ? fcntl(to, F_SETFD, 0) : dup3(from, to, 0);
    if (result < 0) return stream_failure("a place", to, errno);
  }
  auto close_copy = [&](const Fd& fd) {
    if (fd && !gives(fd.get())) close(fd.get());
  };
  for (const Fd& fd : opened_) close_copy(fd);
  for (const Fd& fd : pipes_) close_copy(fd);
  return {};
}

std::array<HeldPipe, 3> SetupDescriptors::take_pipes() {
  return {HeldPipe(std::move(pipes_[0])), HeldPipe(std::move(pipes_[1])),
          HeldPipe(std::move(pipes_[2]))};
}

}  // namespace mpc
