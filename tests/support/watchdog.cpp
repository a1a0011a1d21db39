// SPDX-License-Identifier: Apache-2.0
#include "support/watchdog.hpp"

#include <dirent.h>
#include <execinfo.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cstdio>
#include <string>

namespace mpc::test {
namespace {

void say(const std::string& text) {
  if (write(STDERR_FILENO, text.data(), text.size()) < 0) _exit(3);
}

std::string read_all(const std::string& path) {
  std::string text;
  int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return text;
  char buffer[512];
  ssize_t n;
  while ((n = read(fd, buffer, sizeof buffer)) > 0) text.append(buffer, static_cast<size_t>(n));
  close(fd);
  return text;
}

void say_where(const std::string& task) {
  say("  " + task + ": " + read_all(task + "/comm").substr(0, 15) + " in " +
      read_all(task + "/wchan") + ", system call " + read_all(task + "/syscall"));
}

// What is known of every thread of this process, or of every thread of its children.
void say_threads(pid_t pid) {
  std::string folder = "/proc/" + std::to_string(pid) + "/task";
  DIR* threads = opendir(folder.c_str());
  if (threads == nullptr) return;
  while (const dirent* entry = readdir(threads)) {
    if (entry->d_name[0] == '.') continue;
    std::string task = folder + "/" + entry->d_name;
    say_where(task);
    std::string children = read_all(task + "/children");
    for (const char* at = children.c_str(); *at != '\0';) {
      char* end;
      long child = strtol(at, &end, 10);
      if (end == at) break;
      say_threads(static_cast<pid_t>(child));
      at = end;
    }
  }
  closedir(threads);
}

// Not async-signal-safe in every call, and the process ends here anyhow.
void report_and_exit(int) {
  say("\nWATCHDOG: the test hangs; the thread that took the signal is at\n");
  void* frames[64];
  backtrace_symbols_fd(frames, backtrace(frames, 64), STDERR_FILENO);
  say("threads of it and of its children:\n");
  say_threads(getpid());
  _exit(124);
}

}  // namespace

void watchdog_start(unsigned seconds) {
  struct sigaction action = {};
  action.sa_handler = report_and_exit;
  sigaction(SIGALRM, &action, nullptr);
  alarm(seconds);
}

void watchdog_stop() { alarm(0); }

}  // namespace mpc::test
