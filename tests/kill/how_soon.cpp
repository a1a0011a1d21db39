// SPDX-License-Identifier: Apache-2.0
// How soon a map returns whose last item died with its worker, and how soon a process ends whose
// parent was killed: from the kernel's word of the death, a pidfd that becomes readable.
//
//   how_soon [--kills N]
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "operation.hpp"

namespace {

using kill_tests::must;

constexpr double kMedianBar = 100;
constexpr double kWorstBar = 250;
constexpr double kOrphanBar = 100;

struct Shared {
  std::atomic<int32_t> worker;    // has the item in its hands
  std::atomic<int64_t> returned;  // when the map did
};
Shared* shared;

int64_t now_ns() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1000000000 + now.tv_nsec;
}

int hold(const void*, void*) {
  shared->worker.store(getpid());
  for (;;) pause();
}

[[noreturn]] void own(uint32_t kills) {
  mpc_pool* pool;
  mpc_pool_options options = MPC_POOL_OPTIONS_INIT;
  options.workers = 2;
  must(mpc_pool_create(&options, &pool), "mpc_pool_create");
  for (uint32_t i = 0; i < kills; ++i) {
    mpc_status status = mpc_pool_map(pool, hold, nullptr, 1, 0, nullptr, 0, nullptr);
    int64_t returned = now_ns();
    if (status != MPC_EWORKER_LOST) _exit(1);
    shared->returned.store(returned);
    while (shared->returned.load() != 0) poll(nullptr, 0, 1);
  }
  must(mpc_pool_destroy(pool), "mpc_pool_destroy");
  _exit(0);
}

// Waits for a word to be written, at most ten seconds.
template <class T>
T await(std::atomic<T>& word) {
  for (int64_t end = now_ns() + 10 * int64_t{1000000000}; now_ns() < end;) {
    if (T value = word.load()) return value;
    poll(nullptr, 0, 1);
  }
  printf("caught: nobody went on for 10 seconds after a worker was killed\n");
  exit(1);
}

int sleep_on(const void*, size_t, const mpc_ref*, size_t) {
  shared->worker.store(getpid());
  for (;;) pause();
}

[[noreturn]] void start_one() {
  mpc_process* process;
  must(mpc_process_create(sleep_on, nullptr, &process), "mpc_process_create");
  must(mpc_process_start(process), "mpc_process_start");
  for (;;) pause();
}

// From the death of a parent to that of its child.
double orphan_once() {
  shared->worker.store(0);
  pid_t parent = fork();
  if (parent == 0) start_one();
  pid_t child = await(shared->worker);
  pollfd deaths[2];
  deaths[0] = {static_cast<int>(syscall(SYS_pidfd_open, parent, 0)), POLLIN, 0};
  deaths[1] = {static_cast<int>(syscall(SYS_pidfd_open, child, 0)), POLLIN, 0};
  kill(parent, SIGKILL);
  poll(&deaths[0], 1, 10000);
  int64_t told = now_ns();
  if (poll(&deaths[1], 1, 10000) != 1) {
    printf("caught: a child outlived its parent by 10 seconds\n");
    exit(1);
  }
  int64_t gone = now_ns();
  close(deaths[0].fd);
  close(deaths[1].fd);
  waitpid(parent, nullptr, 0);
  return static_cast<double>(gone - told) / 1e6;
}

double kill_once() {
  pid_t worker = await(shared->worker);
  shared->worker.store(0);
  int pidfd = static_cast<int>(syscall(SYS_pidfd_open, worker, 0));
  kill(worker, SIGKILL);
  pollfd death{pidfd, POLLIN, 0};
  poll(&death, 1, 10000);
  int64_t told = now_ns();
  close(pidfd);
  int64_t returned = await(shared->returned);
  shared->returned.store(0);
  return static_cast<double>(std::max<int64_t>(0, returned - told)) / 1e6;
}

void row(const char* what, double value, double bar) {
  printf("%-44s | %8.2f ms | at most %4.0f ms | %s\n", what, value, bar,
         value <= bar ? "met" : "missed");
}

}  // namespace

int main(int argc, char** argv) {
  uint32_t kills = 1000;
  if (argc == 3 && strcmp(argv[1], "--kills") == 0) {
    kills = static_cast<uint32_t>(strtoul(argv[2], nullptr, 10));
  }
  if (kills == 0) return 2;
  void* page =
      mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return 2;
  shared = new (page) Shared{};
  // What is shared here, children have by inheritance.
  if (mpc_start_method_set(MPC_START_FORK, 0) < 0) return 2;
  pid_t owner = fork();
  if (owner == 0) own(kills);
  std::vector<double> times;
  for (uint32_t i = 0; i < kills; ++i) times.push_back(kill_once());
  int status = -1;
  waitpid(owner, &status, 0);
  std::vector<double> orphans;
  for (uint32_t i = 0; i < kills; ++i) orphans.push_back(orphan_once());
  std::sort(times.begin(), times.end());
  std::sort(orphans.begin(), orphans.end());
  char what[64];
  snprintf(what, sizeof what, "worker killed to map returned, median of %u", kills);
  row(what, times[times.size() / 2], kMedianBar);
  snprintf(what, sizeof what, "worker killed to map returned, worst of %u", kills);
  row(what, times.back(), kWorstBar);
  snprintf(what, sizeof what, "parent killed to child gone, worst of %u", kills);
  row(what, orphans.back(), kOrphanBar);
  return status == 0 ? 0 : 1;
}
