// SPDX-License-Identifier: Apache-2.0
#include "support/wait.hpp"

#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <climits>
#include <filesystem>
#include <fstream>
#include <string>

namespace mpc::test {

int64_t now_ns() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

void Count::set(uint32_t value) {
  value_.store(value);
  syscall(SYS_futex, &value_, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
}

uint32_t Count::add() {
  uint32_t value = value_.fetch_add(1) + 1;
  syscall(SYS_futex, &value_, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
  return value;
}

bool Count::reaches(uint32_t value) const {
  int64_t deadline = now_ns() + kLongEnough;
  for (;;) {
    uint32_t now = value_.load();
    if (now >= value) return true;
    int64_t left = deadline - now_ns();
    if (left <= 0) return false;
    timespec timeout{static_cast<time_t>(left / 1'000'000'000),
                     static_cast<long>(left % 1'000'000'000)};
    syscall(SYS_futex, &value_, FUTEX_WAIT, now, &timeout, nullptr, 0);
  }
}

pid_t begin_fork() {
  // What is buffered would be written by both.
  fflush(stdout);
  fflush(stderr);
  pid_t pid = fork();
  if (pid == 0) prctl(PR_SET_PDEATHSIG, SIGKILL);
  return pid;
}

void end_fork(int exit_code) { _exit(exit_code); }

int wait_for(pid_t child) {
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return INT_MIN;
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

bool ends_within(pid_t pid, int64_t timeout_ns) {
  int pidfd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  if (pidfd < 0) return errno == ESRCH;
  int64_t deadline = now_ns() + timeout_ns;
  bool ended = false;
  for (int64_t left = timeout_ns; !ended && left >= 0; left = deadline - now_ns()) {
    pollfd question{pidfd, POLLIN, 0};
    timespec timeout{static_cast<time_t>(left / 1'000'000'000),
                     static_cast<long>(left % 1'000'000'000)};
    ended = ppoll(&question, 1, &timeout, nullptr) == 1;
  }
  close(pidfd);
  return ended;
}

size_t children_but_servers() {
  size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    std::ifstream file(entry.path() / "stat");
    std::string text;
    if (!std::getline(file, text)) continue;
    size_t name_end = text.rfind(')');
    if (name_end == std::string::npos) continue;
    int parent = 0;
    char state = 0;
    if (sscanf(text.c_str() + name_end + 1, " %c %d", &state, &parent) != 2) continue;
    if (parent != getpid()) continue;
    if (text.find("(mpc-forkserver)") == std::string::npos) {
      ++count;
    } else if (state == 'Z') {
      waitpid(atoi(text.c_str()), nullptr, WNOHANG);
    }
  }
  return count;
}

// From /proc and not by waitid(): it need not be a child of this process.
bool is_stopped(pid_t process) {
  std::string path = "/proc/" + std::to_string(process) + "/stat";
  for (;;) {
    std::ifstream file(path);
    std::string text;
    if (!std::getline(file, text)) return false;
    char state = text[text.rfind(')') + 2];
    if (state == 'T') return true;
    if (state == 'Z' || state == 'X') return false;
    poll(nullptr, 0, 1);
  }
}

}  // namespace mpc::test
