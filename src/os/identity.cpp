// SPDX-License-Identifier: Apache-2.0
#include "os/identity.hpp"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <string>

#include "os/file_status.hpp"
#include "os/spare_descriptor.hpp"

namespace mpc {
namespace {

constexpr long kPidfsMagic = 0x50494446;  // linux/magic.h, since 6.9

// Distinguishes the two kinds of identity, so that one is never compared with the other.
constexpr uint64_t kStartTimeBit = uint64_t{1} << 63;

uint64_t pidfs_inode(int pidfd) {
  // All of them are of one kind.
  static std::atomic<bool> has_pidfs{false};
  struct statfs fs;
  struct stat st;
  if (!has_pidfs.load(std::memory_order_relaxed)) {
    if (fstatfs(pidfd, &fs) != 0 || fs.f_type != kPidfsMagic) return 0;
    has_pidfs.store(true, std::memory_order_relaxed);
  }
  return file_status(pidfd, st) == 0 ? uint64_t{st.st_ino} & ~kStartTimeBit : 0;
}

// Field 22 of /proc/PID/stat, in clock ticks since boot (proc(5)); 0 where it cannot be read.
uint64_t start_time(int32_t pid) {
  if (!proc_is_ours()) return 0;
  char path[64];
  char text[1024];
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  Fd fd(with_spare([&] { return open(path, O_RDONLY | O_CLOEXEC); }));
  if (!fd) return 0;
  ssize_t n = read(fd.get(), text, sizeof text - 1);
  if (n <= 0) return 0;
  text[n] = '\0';
  // The name in field 2 may hold anything but ends at the last parenthesis.
  const char* p = strrchr(text, ')');
  for (int field = 2; p != nullptr && field < 22; ++field) p = strchr(p + 1, ' ');
  uint64_t ticks = p == nullptr ? 0 : strtoull(p + 1, nullptr, 10);
  return ticks == 0 ? 0 : ticks | kStartTimeBit;
}

// Looks for the inode in the mappings of one thread. A thread that has ended shows none.
enum class Maps { kUnreadable, kEmpty, kFound, kMissing };
Maps thread_maps(const char* path, uint64_t inode) {
  Fd fd(open(path, O_RDONLY | O_CLOEXEC));
  if (!fd) return Maps::kUnreadable;
  std::string line;
  char buffer[4096];
  ssize_t n;
  bool any = false;
  while ((n = read(fd.get(), buffer, sizeof buffer)) > 0) {
    any = true;
    for (ssize_t i = 0; i < n; ++i) {
      if (buffer[i] != '\n') {
        line.push_back(buffer[i]);
        continue;
      }
      unsigned long long found = 0;  // range, rights, offset, device, inode (proc(5))
      if (sscanf(line.c_str(), "%*s %*s %*s %*s %llu", &found) == 1 && found == inode) {
        return Maps::kFound;
      }
      line.clear();
    }
  }
  if (n < 0) return Maps::kUnreadable;
  return any ? Maps::kMissing : Maps::kEmpty;
}

// False only if a living thread's mappings can be read and lack the inode.
bool still_maps(int32_t pid, uint64_t inode) {
  if (!proc_is_ours()) return true;
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/task", pid);
  DIR* folder = opendir(path);
  if (folder == nullptr) return true;
  bool missing = false;
  bool found = false;
  while (const dirent* entry = readdir(folder)) {
    if (entry->d_name[0] == '.') continue;
    char maps[sizeof path + sizeof entry->d_name + 8];
    snprintf(maps, sizeof maps, "%s/%s/maps", path, entry->d_name);
    Maps seen = thread_maps(maps, inode);
    if (seen == Maps::kFound) found = true;
    if (seen == Maps::kMissing) missing = true;
    if (found || missing) break;  // all threads share one set of mappings
  }
  closedir(folder);
  return found || !missing;
}

}  // namespace

bool proc_is_ours() {
  char number[16];
  ssize_t n = readlink("/proc/self", number, sizeof number - 1);
  if (n <= 0) return false;
  number[n] = '\0';
  return atoi(number) == getpid();
}

Fd open_pidfd(int32_t pid) {
  return Fd(with_spare([&] { return static_cast<int>(syscall(SYS_pidfd_open, pid, 0)); }));
}

bool pidfd_ended(int pidfd, int64_t timeout_ns) {
  pollfd question{pidfd, POLLIN, 0};
  timespec timeout{static_cast<time_t>(timeout_ns / 1000000000),
                   static_cast<long>(timeout_ns % 1000000000)};
  return ppoll(&question, 1, &timeout, nullptr) == 1 && (question.revents & POLLIN) != 0;
}

int pidfd_exit_code(int pidfd) {
  // linux/pidfd.h of 6.15; Debian 12 has older headers. Only fields up to exit_code are used.
  struct Info {
    uint64_t mask;
    uint64_t cgroup;
    uint32_t ids[11];
    int32_t exit_code;
  } info{};
  static_assert(sizeof(Info) == 64);
  constexpr uint64_t kExit = 1 << 3;
  info.mask = kExit;
  int saved_errno = errno;
  bool known = ioctl(pidfd, _IOWR(0xff, 11, Info), &info) == 0 && (info.mask & kExit) != 0;
  errno = saved_errno;
  if (!known) return kNoExitCode;
  return WIFEXITED(info.exit_code) ? WEXITSTATUS(info.exit_code) : -WTERMSIG(info.exit_code);
}

uint64_t pidfd_identity(int pidfd, int32_t pid) {
  uint64_t inode = pidfs_inode(pidfd);
  return inode != 0 ? inode : start_time(pid);
}

uint64_t process_identity(int32_t pid) {
  int saved_errno = errno;
  uint64_t identity = 0;
  if (Fd pidfd = open_pidfd(pid)) identity = pidfd_identity(pidfd.get(), pid);
  errno = saved_errno;
  return identity;
}

Life process_life(int32_t pid, uint64_t identity) {
  if (pid <= 0) return Life::kDead;
  int saved_errno = errno;
  bool dead = false;
  if (Fd pidfd = open_pidfd(pid)) {
    uint64_t now = identity != 0 ? pidfd_identity(pidfd.get(), pid) : 0;
    bool comparable = now != 0 && ((now ^ identity) & kStartTimeBit) == 0;
    dead = pidfd_ended(pidfd.get(), 0) || (comparable && now != identity);
  } else if (errno == ESRCH || errno == EINVAL || errno == ENOENT) {
    // The last two (newer kernels say ENOENT): the number is now a thread's that is not a process's
    // first.
    dead = true;
  } else {
    // No descriptor even so. A pid that nobody has is a death all the same; a pid that somebody has
    // is a life until it can be looked at.
    dead = kill(pid, 0) != 0 && errno == ESRCH;
  }
  errno = saved_errno;
  return dead ? Life::kDead : Life::kAlive;
}

Life process_life_mapping(int32_t pid, uint64_t identity, uint64_t mapped_inode) {
  int saved_errno = errno;
  Life life = process_life(pid, identity);
  if (life == Life::kAlive && mapped_inode != 0 && pid != getpid() &&
      !still_maps(pid, mapped_inode)) {
    life = Life::kDead;
  }
  errno = saved_errno;
  return life;
}

}  // namespace mpc
