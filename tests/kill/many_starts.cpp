// SPDX-License-Identifier: Apache-2.0
// Thousands of starts leave descriptors, mappings, memory and processes as before.
//
//   many_starts METHOD [--starts N]
//
// Exit code 0: they do; 1: they do not, and the line that begins with "caught:" says what is left.
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <exception>

#include "books.hpp"
#include "census.hpp"
#include "fault.hpp"
#include "operation.hpp"
#include "started.hpp"
#include "starts.hpp"

namespace kill_tests {
namespace {

constexpr uint32_t kWarmUp = 200;
// The allocator's own caches fill up for a while.
constexpr uint64_t kResidentSlack = uint64_t{1} << 20;

// Bytes of this process alone that are in memory: group memory is in the books.
uint64_t resident_bytes() {
  FILE* file = fopen("/proc/self/statm", "re");
  unsigned long long size = 0;
  unsigned long long resident = 0;
  unsigned long long shared = 0;
  int read = file != nullptr ? fscanf(file, "%llu %llu %llu", &size, &resident, &shared) : 0;
  if (file != nullptr) fclose(file);
  if (read != 3) fault("/proc/self/statm cannot be read");
  return (resident - shared) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

void run(mpc_start_method method, uint32_t starts) {
  expect_ok(mpc_group_join(), "mpc_group_join");
  start_and_join(method, kWarmUp);
  Books before = Books::now();
  uint64_t resident = resident_bytes();
  double began = now_ms();
  start_and_join(method, starts);
  double took = now_ms() - began;
  expect_ok(mpc_group_sweep(nullptr), "mpc_group_sweep");
  Census(group_stats().address).expect_no_dead_named();
  before.expect_balance(Books::now());
  uint64_t now = resident_bytes();
  if (now > resident + kResidentSlack) {
    fault("%llu bytes were resident before, %llu after", static_cast<unsigned long long>(resident),
          static_cast<unsigned long long>(now));
  }
  // What is in the process group besides this one is a fork server, which goes with the group.
  expect_ok(mpc_group_leave(), "mpc_group_leave");
  double waiting = now_ms();
  while (waitpid(-1, nullptr, WNOHANG) >= 0) {
    if (now_ms() - waiting > 10000) fault("a process is left");
    nap_ms(1);
  }
  printf(
      "%s: %u starts and joins, %.0f us each; descriptors, mappings, memory and processes are as "
      "before\n",
      mpc_start_method_name(method), starts, took * 1000 / starts);
}

}  // namespace
}  // namespace kill_tests

int main(int argc, char** argv) {
  if (int code = kill_tests::run_started(argc, argv); code >= 0) return code;
  mpc_start_method method = MPC_START_DEFAULT;
  uint32_t starts = 10000;
  for (int i = 1; i < argc; ++i) {
    if (strcmp(argv[i], "--starts") == 0 && i + 1 < argc) {
      starts = static_cast<uint32_t>(strtoul(argv[++i], nullptr, 10));
    } else {
      method = kill_tests::start_method_named(argv[i]);
    }
  }
  if (method == MPC_START_DEFAULT || starts == 0) return 2;
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  try {
    kill_tests::run(method, starts);
  } catch (const std::exception& caught) {
    printf("caught: %s\n", caught.what());
    return 1;
  }
  return 0;
}
