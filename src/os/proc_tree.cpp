// SPDX-License-Identifier: Apache-2.0
#include "os/proc_tree.hpp"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <memory>

#include "base/fd.hpp"
#include "os/spare_descriptor.hpp"

namespace mpc {
namespace {

struct Stat {
  char state = '\0';  // '\0': there is no such process or thread
  int32_t parent = 0;
};

// Fields 3 and 4 (proc(5)).
Stat read_stat(const char* path) {
  Stat stat;
  char text[512];
  Fd fd(with_spare([&] { return open(path, O_RDONLY | O_CLOEXEC); }));
  if (!fd) return stat;
  ssize_t n = read(fd.get(), text, sizeof text - 1);
  if (n <= 0) return stat;
  text[n] = '\0';
  // The name in field 2 may hold anything but ends at the last parenthesis.
  const char* end = strrchr(text, ')');
  char state;
  int parent;
  if (end != nullptr && sscanf(end + 1, " %c %d", &state, &parent) == 2) stat = {state, parent};
  return stat;
}

struct CloseFolder {
  void operator()(DIR* folder) const { closedir(folder); }
};
using Folder = std::unique_ptr<DIR, CloseFolder>;

// The next entry that is a number; 0 at the end.
int32_t next_number(DIR* folder) {
  while (const dirent* entry = readdir(folder)) {
    int32_t number = static_cast<int32_t>(strtol(entry->d_name, nullptr, 10));
    if (number > 0) return number;
  }
  return 0;
}

bool holds_still(char state) { return strchr("TtZX", state) != nullptr; }

}  // namespace

Result<std::vector<ProcessAndParent>> processes_and_parents() {
  Folder folder(opendir("/proc"));
  if (!folder) return system_failure("reading /proc", errno);
  std::vector<ProcessAndParent> all;
  while (int32_t pid = next_number(folder.get())) {
    if (int32_t parent = parent_of(pid); parent > 0) all.push_back({pid, parent});
  }
  return all;
}

int32_t parent_of(int32_t pid) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  return read_stat(path).parent;
}

bool is_stopped(int32_t pid) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/task", pid);
  Folder folder(opendir(path));
  if (!folder) return errno == ENOENT || errno == ESRCH;
  while (int32_t thread = next_number(folder.get())) {
    char stat[sizeof path + 24];
    snprintf(stat, sizeof stat, "%s/%d/stat", path, thread);
    if (!holds_still(read_stat(stat).state)) return false;
  }
  return true;
}

}  // namespace mpc
