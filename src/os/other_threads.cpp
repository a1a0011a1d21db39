// SPDX-License-Identifier: Apache-2.0
#include "os/other_threads.hpp"

#include <sys/stat.h>
#include <time.h>

#include <algorithm>

#include "os/identity.hpp"
#include "os/lifeline.hpp"

namespace mpc {
namespace {

constexpr long kShortestSleep = 100000;
constexpr long kLongestSleep = 10000000;

// A folder has two links, and one for each folder in it.
bool count_threads(unsigned long& out_count) {
  struct stat tasks;
  if (!proc_is_ours() || stat("/proc/self/task", &tasks) != 0 || tasks.st_nlink < 3) return false;
  out_count = tasks.st_nlink - 2;
  return true;
}

}  // namespace

bool wait_for_other_threads() {
  long sleep = kShortestSleep;
  for (unsigned long count = 0; count_threads(count);) {
    if (count <= 1 + lifeline_threads()) return true;
    timespec pause{0, sleep};
    nanosleep(&pause, nullptr);
    sleep = std::min(2 * sleep, kLongestSleep);
  }
  return false;
}

}  // namespace mpc
