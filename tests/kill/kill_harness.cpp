// SPDX-License-Identifier: Apache-2.0
// Proves, over the shared library as it is shipped, that a participant may be killed or stopped at
// any instruction of any operation.
//
//   kill_harness [--long] [--seed N] [OPERATION...]
//
// MPC_KILL_REPEATS in the environment: survivors do at most so much after each kill.
// Each operation has a driver of its own, which is the root of a fresh group. This process only
// watches that the driver goes on. Exit code 0: every promise held. 1: one did not; the line that
// begins with "caught:" says which. 77: not possible here.
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>

#include "campaign.hpp"
#include "operation.hpp"
#include "started.hpp"

namespace {

using kill_tests::Campaign;
using kill_tests::Operation;
using kill_tests::Progress;
using kill_tests::Tally;

constexpr auto kPatience = std::chrono::seconds(60);

struct Wish {
  bool thorough = false;
  uint32_t seed = 1;
  std::vector<std::string> names;
};

Wish read_arguments(int argc, char** argv) {
  Wish wish;
  for (int i = 1; i < argc; ++i) {
    if (strcmp(argv[i], "--long") == 0) {
      wish.thorough = true;
    } else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc) {
      wish.seed = static_cast<uint32_t>(strtoul(argv[++i], nullptr, 10));
    } else {
      wish.names.push_back(argv[i]);
    }
  }
  return wish;
}

// A name stands for itself and for all below it: "alloc" for "alloc.small".
bool asked_for(const Wish& wish, const std::string& name) {
  if (wish.names.empty()) return true;
  for (const std::string& asked : wish.names) {
    if (name == asked || name.rfind(asked + ".", 0) == 0) return true;
  }
  return false;
}

// Victim and driver share one CPU: a step is four times as fast as over two. It is the one that
// this process was put on, so that harnesses which run side by side are on several.
void stay_on_one_cpu() {
  int here = sched_getcpu();
  if (here < 0) return;
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  CPU_SET(here, &cpus);
  sched_setaffinity(0, sizeof cpus, &cpus);
}

[[noreturn]] void drive(const Operation& operation, const Wish& wish, Progress& progress) {
  // Processes that lose their parent come to the driver, which can then see them end.
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  stay_on_one_cpu();
  int code = 1;
  try {
    if (operation.run) {
      progress.tally = operation.run(progress, wish.thorough);
    } else {
      Campaign campaign(operation, progress);
      progress.tally = wish.thorough ? campaign.run_long(wish.seed) : campaign.run_short();
    }
    code = 0;
  } catch (const std::exception& caught) {
    printf("caught: %s: %s\n", progress.doing, caught.what());
  }
  fflush(stdout);
  _exit(code);
}

// Waits for the driver as long as it goes on. False if it stood still.
bool watch(pid_t driver, const Progress& progress, int& out_status) {
  auto since = std::chrono::steady_clock::now();
  uint64_t moves = 0;
  for (;;) {
    pid_t ended = waitpid(driver, &out_status, WNOHANG);
    if (ended == driver) return true;
    if (__atomic_load_n(&progress.moves, __ATOMIC_RELAXED) != moves) {
      moves = __atomic_load_n(&progress.moves, __ATOMIC_RELAXED);
      since = std::chrono::steady_clock::now();
    }
    if (std::chrono::steady_clock::now() - since > kPatience) return false;
    poll(nullptr, 0, 20);
  }
}

bool run(const Operation& operation, const Wish& wish, Progress& progress) {
  memset(static_cast<void*>(&progress), 0, sizeof progress);
  fflush(stdout);
  pid_t driver = fork();
  if (driver < 0) {
    perror("fork");
    return false;
  }
  if (driver == 0) drive(operation, wish, progress);
  int status = 0;
  if (!watch(driver, progress, status)) {
    printf("caught: %s: nobody went on for %lld seconds\n", progress.doing,
           static_cast<long long>(kPatience.count()));
    kill(driver, SIGKILL);
    waitpid(driver, &status, 0);
    return false;
  }
  if (!WIFEXITED(status)) {
    printf("caught: %s: the survivor ended with wait status %d\n", progress.doing, status);
    return false;
  }
  return WEXITSTATUS(status) == 0;
}

void print_rule(const Wish& wish) {
  printf(
      "rule: each operation is killed, and stopped, after every instruction that changed group\n"
      "memory or entered the kernel%s; survivors then do more\n"
      "of its kind (column \"then\"), no shared word names the dead, and memory, objects,\n"
      "participants, descriptors and mappings are as before\n",
      wish.thorough ? ", after every one up to 2,000 and 1,000 random ones beyond" : "");
  printf("%-24s %8s %8s %8s %8s %8s %8s\n", "operation", "steps", "seen", "kills", "stalls",
         "missed", "then");
}

}  // namespace

int main(int argc, char** argv) {
  if (int code = kill_tests::run_started(argc, argv); code >= 0) return code;
  Wish wish = read_arguments(argc, argv);
  auto* progress = static_cast<Progress*>(
      mmap(nullptr, sizeof(Progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  if (progress == MAP_FAILED) return 2;
  if (!kill_tests::tracing_is_permitted()) {
    printf("skipped: ptrace is not permitted here\n");
    return 77;
  }
  // Whom a victim forks is traced from birth; the children of a server are not its own.
  if (mpc_start_method_set(MPC_START_FORK, 0) < 0) return 2;
  print_rule(wish);
  uint32_t kills = 0;
  uint32_t stalls = 0;
  uint32_t operations = 0;
  bool good = true;
  for (const Operation& operation : kill_tests::all_operations()) {
    if (!asked_for(wish, operation.name)) continue;
    ++operations;
    good = run(operation, wish, *progress) && good;
    const Tally& tally = progress->tally;
    printf("%-24s %8u %8u %8u %8u %8u %8u\n", operation.name.c_str(), tally.steps, tally.points,
           tally.kills, tally.stalls, tally.missed, tally.repeats);
    fflush(stdout);
    kills += tally.kills;
    stalls += tally.stalls;
  }
  printf("%u operations, %u kills, %u stalls: %s\n", operations, kills, stalls,
         good ? "every promise held" : "a promise did not hold");
  if (operations == 0) return 2;
  return good ? 0 : 1;
}
