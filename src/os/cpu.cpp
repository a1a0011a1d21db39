// SPDX-License-Identifier: Apache-2.0
// Limits are read where the kernel tells them: sched_getaffinity(2), sysinfo(2), and the files of
// cgroup v1 and v2 (Documentation/admin-guide/cgroup-v2.rst: cpu.max, memory.max;
// cgroup-v1: cpu.cfs_quota_us, memory.limit_in_bytes). A limit of a parent group binds as well,
// and inside a container the path of /proc/self/cgroup may not exist below the mount, so each
// folder from that path up to the mount is asked.
#include "os/cpu.hpp"

#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "base/fd.hpp"

namespace mpc {
namespace {

std::string read_file(const std::string& path) {
  std::string text;
  Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return text;
  char buffer[1024];
  ssize_t n;
  while ((n = read(fd.get(), buffer, sizeof buffer)) > 0)
    text.append(buffer, static_cast<size_t>(n));
  return text;
}

// The path of this process in the hierarchy of a v1 controller ("" for v2), "/" if it is in none.
std::string cgroup_path(const char* controller) {
  std::string lines = read_file("/proc/self/cgroup");
  size_t start = 0;
  while (start < lines.size()) {
    size_t end = std::min(lines.find('\n', start), lines.size());
    std::string line = lines.substr(start, end - start);
    start = end + 1;
    size_t first = line.find(':');
    size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    std::string names = "," + line.substr(first + 1, second - first - 1) + ",";
    std::string wanted = *controller == '\0' ? ",," : std::string(",") + controller + ",";
    if (names.find(wanted) != std::string::npos) return line.substr(second + 1);
  }
  return "/";
}

// Calls `visit` with each folder from the process's own up to the mount.
template <class Visit>
void each_cgroup(const std::string& mount, const char* controller, Visit visit) {
  std::string path = cgroup_path(controller);
  for (;;) {
    visit(mount + (path == "/" ? "" : path));
    size_t slash = path.rfind('/');
    if (path.empty() || path == "/" || slash == std::string::npos) return;
    path.resize(slash == 0 ? 1 : slash);
  }
}

constexpr const char* kUnified[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};

double cgroup_cpus() {
  double least = 1e9;
  for (const char* mount : kUnified) {
    each_cgroup(mount, "", [&](const std::string& folder) {
      double quota;
      double period;
      std::string text = read_file(folder + "/cpu.max");
      if (sscanf(text.c_str(), "%lf %lf", &quota, &period) == 2 && period > 0) {
        least = std::min(least, quota / period);
      }
    });
  }
  each_cgroup("/sys/fs/cgroup/cpu", "cpu", [&](const std::string& folder) {
    double quota = atof(read_file(folder + "/cpu.cfs_quota_us").c_str());
    double period = atof(read_file(folder + "/cpu.cfs_period_us").c_str());
    if (quota > 0 && period > 0) least = std::min(least, quota / period);
  });
  return least;
}

}  // namespace

uint32_t usable_cpus() {
  // The kernel may have more CPUs than cpu_set_t holds: the mask grows until it fits.
  uint32_t allowed = 0;
  for (size_t cpus = 1024; cpus <= size_t{1024} * 64; cpus *= 2) {
    std::vector<unsigned char> mask(cpus / 8);
    if (sched_getaffinity(0, mask.size(), reinterpret_cast<cpu_set_t*>(mask.data())) == 0) {
      for (unsigned char byte : mask) allowed += static_cast<uint32_t>(__builtin_popcount(byte));
      break;
    }
  }
  double limit = cgroup_cpus();
  uint32_t rounded = limit < 1e6 ? static_cast<uint32_t>(limit + 0.999) : allowed;
  return std::max<uint32_t>(1, std::min(allowed, rounded));
}

uint64_t usable_memory() {
  struct sysinfo info;
  uint64_t least = UINT64_MAX;
  if (sysinfo(&info) == 0) least = uint64_t{info.totalram} * info.mem_unit;
  auto take = [&](const std::string& text) {
    if (text.empty() || text.compare(0, 3, "max") == 0) return;
    uint64_t limit = strtoull(text.c_str(), nullptr, 10);
    if (limit > 0) least = std::min(least, limit);
  };
  for (const char* mount : kUnified) {
    each_cgroup(mount, "",
                [&](const std::string& folder) { take(read_file(folder + "/memory.max")); });
  }
  each_cgroup("/sys/fs/cgroup/memory", "memory", [&](const std::string& folder) {
    take(read_file(folder + "/memory.limit_in_bytes"));
  });
  return least;
}

}  // namespace mpc
