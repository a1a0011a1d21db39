// SPDX-License-Identifier: Apache-2.0
#include "process/launch_image.hpp"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>

#include "base/fd.hpp"
#include "os/signals.hpp"

namespace mpc {
namespace {

constexpr int kCannotBegin = 255;

class FileActions {
 public:
  FileActions() { posix_spawn_file_actions_init(&actions_); }
  ~FileActions() { posix_spawn_file_actions_destroy(&actions_); }
  FileActions(const FileActions&) = delete;
  FileActions& operator=(const FileActions&) = delete;
  const posix_spawn_file_actions_t* get() const { return &actions_; }

  void open(int number, const char* path, int flags) {
    note(posix_spawn_file_actions_addopen(&actions_, number, path, flags, 0));
  }
  void duplicate(int fd, int number) {
    note(posix_spawn_file_actions_adddup2(&actions_, fd, number));
  }
  void close(int number) { note(posix_spawn_file_actions_addclose(&actions_, number)); }
  void close_from(int number) { note(posix_spawn_file_actions_addclosefrom_np(&actions_, number)); }
  int error() const { return error_; }

 private:
  void note(int error) {
    if (error_ == 0) error_ = error;
  }
  posix_spawn_file_actions_t actions_;
  int error_ = 0;
};

// SIGINT has its default. Handlers go with the old image; what is ignored stays ignored.
class Attributes {
 public:
  explicit Attributes(const ImageStart& start) {
    posix_spawnattr_init(&attributes_);
    sigset_t interrupt;
    sigemptyset(&interrupt);
    sigaddset(&interrupt, SIGINT);
    posix_spawnattr_setsigdefault(&attributes_, &interrupt);
    int flags = POSIX_SPAWN_SETSIGDEF | (start.leads_group ? POSIX_SPAWN_SETPGROUP : 0);
    posix_spawnattr_setflags(&attributes_, static_cast<short>(flags));
  }
  ~Attributes() { posix_spawnattr_destroy(&attributes_); }
  Attributes(const Attributes&) = delete;
  Attributes& operator=(const Attributes&) = delete;
  const posix_spawnattr_t* get() const { return &attributes_; }

 private:
  posix_spawnattr_t attributes_;
};

bool is_given(const ImageStart& start, int number) {
  return std::any_of(start.descriptors.begin(), start.descriptors.end(),
                     [&](const auto& pair) { return pair.second == number; });
}

// The numbers that are closed one by one, and the first of those that are all closed.
struct Closing {
  std::vector<int> gaps;
  int from = STDERR_FILENO + 1;
};
Closing closing_of(const ImageStart& start) {
  Closing closing;
  for (const auto& [fd, number] : start.descriptors) {
    closing.from = std::max(closing.from, number + 1);
  }
  for (int number = STDERR_FILENO + 1; number < closing.from; ++number) {
    if (!is_given(start, number)) closing.gaps.push_back(number);
  }
  return closing;
}

int spawn(const ImageStart& start, pid_t& out_pid) {
  FileActions actions;
  if (!is_given(start, STDIN_FILENO)) actions.open(STDIN_FILENO, "/dev/null", O_RDWR);
  for (const auto& [fd, number] : start.descriptors) actions.duplicate(fd, number);
  Closing closing = closing_of(start);
  for (int number : closing.gaps) actions.close(number);
  actions.close_from(closing.from);
  if (actions.error() != 0) return actions.error();
  Attributes attributes(start);
  return posix_spawn(&out_pid, start.path.c_str(), actions.get(), attributes.get(),
                     start.arguments.data(), start.environment.data());
}

// Every descriptor that an exec would leave open.
std::vector<int> inheritable() {
  std::vector<int> found;
  DIR* entries = opendir("/proc/self/fd");
  if (entries == nullptr) return found;
  while (const dirent* entry = readdir(entries)) {
    int fd = atoi(entry->d_name);
    int flags = fcntl(fd, F_GETFD);
    if (flags >= 0 && (flags & FD_CLOEXEC) == 0) found.push_back(fd);
  }
  closedir(entries);
  return found;
}

// In the child of a fork: only system calls. Ends it where the image cannot begin, and says why.
[[noreturn]] void become_image(const ImageStart& start, const std::vector<int>& open_numbers,
                               int failure_fd) {
  interrupt_ignore(false);
  if (start.leads_group) setpgid(0, 0);
  if (!is_given(start, STDIN_FILENO)) {
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    dup2(nothing, STDIN_FILENO);
  }
  for (const auto& [fd, number] : start.descriptors) dup2(fd, number);
  for (int fd : open_numbers) {
    if (fd > STDERR_FILENO && !is_given(start, fd)) close(fd);
  }
  execve(start.path.c_str(), start.arguments.data(), start.environment.data());
  int error = errno;
  (void)!write(failure_fd, &error, sizeof error);
  _exit(kCannotBegin);
}

int fork_and_exec(const ImageStart& start, pid_t& out_pid) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return errno;
  Fd told(ends[0]);
  // Out of the way of the numbers that the child's get.
  Fd tells(fcntl(ends[1], F_DUPFD_CLOEXEC, closing_of(start).from));
  close(ends[1]);
  if (!tells) return errno;
  std::vector<int> open_numbers = inheritable();
  pid_t pid = fork();
  if (pid == 0) become_image(start, open_numbers, tells.get());
  if (pid < 0) return errno;
  tells.reset();
  int error = 0;
  ssize_t n;
  do {
    n = read(told.get(), &error, sizeof error);
  } while (n < 0 && errno == EINTR);
  out_pid = pid;
  return n == sizeof error ? error : 0;
}

}  // namespace

Result<int32_t> launch_image(const ImageStart& start) {
  pid_t pid = 0;
  int error = spawn(start, pid);
  if (error == EPERM || error == ENOSYS) error = fork_and_exec(start, pid);
  if (error == 0) return static_cast<int32_t>(pid);
  Error failed = system_failure("starting a fresh process", error);
  failed.message += " (" + start.path + ")";
  return failed;
}

}  // namespace mpc
