// SPDX-License-Identifier: Apache-2.0
#include "support/machine_state.hpp"

#include <dirent.h>
#include <errno.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/wait.hpp"

namespace mpc::test {
namespace {

// Python's own tests and the benchmarks may run beside this: names that are Python's.
bool is_another_programs(const std::string& name) {
  return name.rfind("sem.", 0) == 0 || name.rfind("psm_", 0) == 0 || name.rfind("wnsm_", 0) == 0;
}

}  // namespace

MachineState MachineState::now() {
  MachineState state;
  if (DIR* folder = opendir("/proc/self/fd")) {
    while (const dirent* entry = readdir(folder)) {
      int fd = atoi(entry->d_name);
      if (entry->d_name[0] == '.' || fd == dirfd(folder)) continue;
      char target[512];
      std::string link = std::string("/proc/self/fd/") + entry->d_name;
      ssize_t n = readlink(link.c_str(), target, sizeof target);
      state.descriptors[fd] = n < 0 ? "?" : std::string(target, static_cast<size_t>(n));
    }
    closedir(folder);
  }
  if (DIR* folder = opendir("/dev/shm")) {
    while (const dirent* entry = readdir(folder)) {
      if (!is_another_programs(entry->d_name)) state.shared_memory.insert(entry->d_name);
    }
    closedir(folder);
  }
  return state;
}

void expect_nothing_left(const MachineState& before) {
  EXPECT_EQ(children_but_servers(), 0u) << "a child is left";
  MachineState after = MachineState::now();
  EXPECT_EQ(before.descriptors.size(), after.descriptors.size());
  for (const auto& [fd, target] : after.descriptors) {
    EXPECT_TRUE(before.descriptors.count(fd) != 0) << "descriptor " << fd << " is new: " << target;
  }
  for (const std::string& name : after.shared_memory) {
    EXPECT_TRUE(before.shared_memory.count(name) != 0) << "/dev/shm/" << name << " is new";
  }
}

}  // namespace mpc::test
