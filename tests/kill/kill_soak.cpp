// SPDX-License-Identifier: Apache-2.0
// Kills and stops processes at random moments while they do everything that the library does, and
// keeps the books.
//
//   kill_soak [--seconds N] [--cpus N] [--seed N]
//
// Only kills that landed inside a call count. One process is never killed: its threads must go on.
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
#include <random>
#include <utility>
#include <vector>

#include "books.hpp"
#include "census.hpp"
#include "fault.hpp"
#include "operation.hpp"
#include "soak_worker.hpp"

namespace {

using kill_tests::Books;
using kill_tests::Census;
using kill_tests::expect_ok;
using kill_tests::fault;
using kill_tests::group_stats;
using kill_tests::SoakProcess;
using kill_tests::SoakThread;
using Clock = std::chrono::steady_clock;

constexpr uint32_t kProcesses = 4;
constexpr auto kPatience = std::chrono::seconds(15);

struct Wish {
  uint32_t seconds = 60;
  uint32_t cpus = 2;
  uint64_t seed = 1;
};

class Soak {
 public:
  explicit Soak(const Wish& wish) : wish_(wish), random_(static_cast<uint32_t>(wish.seed)) {
    void* pages = mmap(nullptr, kProcesses * sizeof(SoakProcess), PROT_READ | PROT_WRITE,
                       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED) fault("no memory for the ledger");
    ledgers_ = static_cast<SoakProcess*>(pages);
    // Its growth must not show as a mapping that the library left.
    in_dead_hands_.reserve(1 << 20);
  }

  void run() {
    expect_ok(mpc_group_join(), "mpc_group_join");
    expect_ok(mpc_group_sweep(nullptr), "mpc_group_sweep");
    Books before = Books::now();
    make_shared();
    for (uint32_t i = 0; i < kProcesses; ++i) start(i);
    auto end = Clock::now() + std::chrono::seconds(wish_.seconds);
    moved_ = Clock::now();
    while (Clock::now() < end) {
      poll(nullptr, 0, static_cast<int>(random_() % 6));
      disturb(1 + random_() % (kProcesses - 1));
      reap_orphans();
      watch_survivor();
    }
    for (uint32_t i = 0; i < kProcesses; ++i) end_process(i);
    wait_for_orphans();
    expect_ok(mpc_group_sweep(nullptr), "mpc_group_sweep");
    settle_ledger();
    expect_ok(mpc_block_detach(shared_), "mpc_block_detach");
    Census(group_stats().address).expect_no_dead_named();
    before.expect_balance(Books::now());
  }

  void print() const {
    printf(
        "%u CPUs, %u s: %llu kills, %llu of them inside a call, %llu stops; the survivor did "
        "%llu operations and was told of %llu lost items; %zu blocks in dead hands, %u of them "
        "published: the books balance\n",
        wish_.cpus, wish_.seconds, static_cast<unsigned long long>(kills_),
        static_cast<unsigned long long>(inside_), static_cast<unsigned long long>(stops_),
        static_cast<unsigned long long>(survivor_operations_),
        static_cast<unsigned long long>(lost_items_), in_dead_hands_.size(), published_);
  }

 private:
  void make_shared() {
    expect_ok(mpc_block_create(kill_tests::kSoakBlock, &shared_), "mpc_block_create");
    expect_ok(mpc_block_ref(shared_, &ref_), "mpc_block_ref");
    memset(mpc_block_address(shared_), 'm', kill_tests::kSoakBlock);
  }

  void start(uint32_t index) {
    memset(static_cast<void*>(&ledgers_[index]), 0, sizeof(SoakProcess));
    uint64_t seed = ++started_ + wish_.seed * 1000003;
    pid_t pid = fork();
    if (pid < 0) fault("fork: %s", strerror(errno));
    if (pid == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      kill_tests::soak_process(ledgers_[index], ref_, seed & 0xffffffff);
    }
    pids_[index] = pid;
  }

  void disturb(uint32_t index) {
    if (random_() % 3 == 0) {
      // Somebody is stopped while the next is killed; even the one that is never killed.
      uint32_t other = random_() % 8 == 0 ? 0 : 1 + random_() % (kProcesses - 1);
      kill(pids_[other], SIGSTOP);
      ++stops_;
      poll(nullptr, 0, static_cast<int>(random_() % 4));
      if (other != index) replace(index);
      expect_ok(mpc_group_sweep(nullptr), "mpc_group_sweep");
      kill(pids_[other], SIGCONT);
      return;
    }
    replace(index);
    if (random_() % 2 == 0) expect_ok(mpc_group_sweep(nullptr), "mpc_group_sweep");
  }

  void replace(uint32_t index) {
    end_process(index);
    start(index);
  }

  void end_process(uint32_t index) {
    kill(pids_[index], SIGKILL);
    int status = 0;
    while (waitpid(pids_[index], &status, 0) < 0 && errno == EINTR) {
    }
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) {
      fault("a process of the soak ended by itself with wait status %d", status);
    }
    bool inside = false;
    for (SoakThread& thread : ledgers_[index].threads) {
      inside = inside || thread.inside.load() != 0;
      if (char* block = thread.published.load()) {
        in_dead_hands_.emplace_back(block, thread.number.load());
      }
      if (index == 0) survivor_operations_ += thread.operations.load();
    }
    if (index == 0) lost_items_ = ledgers_[0].lost_items.load();
    ++kills_;
    inside_ += inside ? 1 : 0;
  }

  bool is_ours(pid_t pid) const {
    for (pid_t ours : pids_) {
      if (ours == pid) return true;
    }
    return false;
  }

  // What the dead had started ends with them and comes to this process.
  void reap_orphans() {
    siginfo_t info;
    for (;;) {
      info.si_pid = 0;
      if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0) return;
      if (is_ours(info.si_pid)) return;
      waitpid(info.si_pid, nullptr, 0);
    }
  }

  void wait_for_orphans() {
    auto end = Clock::now() + kPatience;
    for (;;) {
      pid_t pid = waitpid(-1, nullptr, WNOHANG);
      if (pid < 0 && errno == ECHILD) return;
      if (pid == 0) poll(nullptr, 0, 1);
      if (Clock::now() > end) fault("what the dead had started outlived them");
    }
  }

  void watch_survivor() {
    bool moved = true;
    for (uint32_t i = 0; i < kill_tests::kSoakThreads; ++i) {
      moved = moved && ledgers_[0].threads[i].operations.load() != seen_[i];
    }
    if (moved) {
      for (uint32_t i = 0; i < kill_tests::kSoakThreads; ++i) {
        seen_[i] = ledgers_[0].threads[i].operations.load();
      }
      moved_ = Clock::now();
    } else if (Clock::now() - moved_ > kPatience) {
      fault("a thread of the survivor stands still");
    }
  }

  // A block in dead hands is the group's, if it was published; else it was swept, and its place may
  // have been another's since, who wrote another number there.
  void settle_ledger() {
    for (auto& [block, number] : in_dead_hands_) {
      if (memcmp(block, &number, sizeof number) != 0) continue;
      mpc_status status = mpc_group_free(block);
      if (status >= 0) ++published_;
      if (status < 0 && status != MPC_EINVAL) expect_ok(status, "mpc_group_free");
    }
  }

  Wish wish_;
  std::minstd_rand random_;
  SoakProcess* ledgers_ = nullptr;
  pid_t pids_[kProcesses] = {};
  mpc_block* shared_ = nullptr;
  mpc_ref ref_ = {};
  uint64_t started_ = 0;
  uint64_t kills_ = 0;
  uint64_t inside_ = 0;
  uint64_t stops_ = 0;
  uint64_t survivor_operations_ = 0;
  uint64_t lost_items_ = 0;
  uint32_t published_ = 0;
  uint64_t seen_[kill_tests::kSoakThreads] = {};
  Clock::time_point moved_;
  std::vector<std::pair<char*, uint64_t>> in_dead_hands_;
};

// False if the machine does not let this process use as many.
bool use_cpus(uint32_t wanted) {
  cpu_set_t allowed;
  cpu_set_t chosen;
  CPU_ZERO(&chosen);
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return false;
  uint32_t found = 0;
  for (int cpu = CPU_SETSIZE - 1; cpu >= 0 && found < wanted; --cpu) {
    if (!CPU_ISSET(cpu, &allowed)) continue;
    CPU_SET(cpu, &chosen);
    ++found;
  }
  return found == wanted && sched_setaffinity(0, sizeof chosen, &chosen) == 0;
}

}  // namespace

int main(int argc, char** argv) {
  Wish wish;
  for (int i = 1; i + 1 < argc; i += 2) {
    uint64_t value = strtoull(argv[i + 1], nullptr, 10);
    if (strcmp(argv[i], "--seconds") == 0) wish.seconds = static_cast<uint32_t>(value);
    if (strcmp(argv[i], "--cpus") == 0) wish.cpus = static_cast<uint32_t>(value);
    if (strcmp(argv[i], "--seed") == 0) wish.seed = value;
  }
  if (!use_cpus(wish.cpus)) {
    printf("skipped: this process may not use %u CPUs\n", wish.cpus);
    return 77;
  }
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  // A survivor that waits for the dead for good is noticed here.
  struct sigaction action = {};
  action.sa_handler = [](int) {
    static const char text[] = "caught: the soak did not come to its end\n";
    (void)!write(STDOUT_FILENO, text, sizeof text - 1);
    _exit(1);
  };
  sigaction(SIGALRM, &action, nullptr);
  alarm(wish.seconds + 50);
  try {
    Soak soak(wish);
    soak.run();
    soak.print();
    return 0;
  } catch (const std::exception& caught) {
    printf("caught: %s\n", caught.what());
    fflush(stdout);
    _exit(1);
  }
}
