// SPDX-License-Identifier: Apache-2.0
#include "books.hpp"

#include <dirent.h>

#include <cstdio>

#include "fault.hpp"

namespace kill_tests {
namespace {

uint32_t open_descriptors() {
  DIR* folder = opendir("/proc/self/fd");
  if (folder == nullptr) fault("/proc/self/fd cannot be read");
  uint32_t count = 0;
  while (readdir(folder) != nullptr) ++count;
  closedir(folder);
  return count;
}

uint32_t mapping_count() {
  FILE* maps = fopen("/proc/self/maps", "re");
  if (maps == nullptr) fault("/proc/self/maps cannot be read");
  uint32_t count = 0;
  for (int c = getc(maps); c != EOF; c = getc(maps)) count += c == '\n' ? 1 : 0;
  fclose(maps);
  return count;
}

void compare(const char* what, uint64_t before, uint64_t after) {
  if (before == after) return;
  fault("the books do not balance: %llu %s before, %llu after",
        static_cast<unsigned long long>(before), what, static_cast<unsigned long long>(after));
}

}  // namespace

mpc_group_stats group_stats() {
  mpc_group_stats stats = MPC_GROUP_STATS_INIT;
  mpc_status status = mpc_group_stats_get(&stats);
  if (status < 0) fault("mpc_group_stats_get: %s", mpc_status_name(status));
  return stats;
}

Books Books::now() {
  mpc_group_stats stats = group_stats();
  return {stats.blocks,       stats.bytes,        stats.own_bytes, stats.objects,
          stats.participants, open_descriptors(), mapping_count(), stats.memory_used};
}

void Books::expect_balance(const Books& after) const {
  compare("participants", participants, after.participants);
  compare("objects", objects, after.objects);
  compare("blocks", blocks, after.blocks);
  compare("bytes in blocks", bytes, after.bytes);
  compare("bytes of this process's own", own_bytes, after.own_bytes);
  compare("descriptors", descriptors, after.descriptors);
  compare("mappings", mappings, after.mappings);
  if (after.memory_used > memory_used + kKeptRegions) {
    compare("bytes of memory taken", memory_used, after.memory_used);
  }
}

}  // namespace kill_tests
