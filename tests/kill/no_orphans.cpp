// SPDX-License-Identifier: Apache-2.0
// Ends a parent at random moments while it and its descendants start processes, and looks that
// nobody of theirs is left but who was detached.
//
//   no_orphans METHOD [--moments N] [--seed N]
//
// Only moments at which a start was under way count. Exit code 0: every promise held; 1: one did
// not, and the line that begins with "caught:" says which.
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <random>
#include <string>
#include <vector>

#include "base/fd.hpp"
#include "books.hpp"
#include "census.hpp"
#include "family_tree.hpp"
#include "fault.hpp"
#include "operation.hpp"
#include "started.hpp"
#include "starts.hpp"

namespace kill_tests {
namespace {

constexpr double kOrphanBar = 100;   // milliseconds
constexpr double kPatience = 15000;  // also milliseconds
constexpr uint32_t kRoundsBetweenBooks = 50;

mpc::Fd pidfd_of(pid_t pid) { return mpc::Fd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0))); }

bool readable(const mpc::Fd& pidfd) {
  pollfd death{pidfd.get(), POLLIN, 0};
  return poll(&death, 1, 0) == 1;
}

// Those that had come so far when their ancestor died, or came later.
class Watched {
 public:
  explicit Watched(FamilyBoard& board) : board_(board) {}
  // Takes note of who is there, and who is gone by now.
  void look() {
    for (uint32_t i = 0; i < kMembers; ++i) {
      if (gone_at_[i] != 0) continue;
      int32_t pid = board_.pids[i].load();
      if (pid == 0) continue;
      if (!pidfds_[i]) pidfds_[i] = pidfd_of(pid);
      if (!pidfds_[i] || readable(pidfds_[i])) gone_at_[i] = now_ms();
    }
  }
  bool all_gone(uint32_t ancestor) const {
    for (uint32_t i = 0; i < kMembers; ++i) {
      if (descends_from(i, ancestor) && board_.pids[i].load() != 0 && gone_at_[i] == 0) {
        return false;
      }
    }
    return true;
  }
  // From the death of the ancestor to that of the last of a generation; negative: there is none.
  double last_of(uint32_t ancestor, uint32_t generation) const {
    double last = -1;
    for (uint32_t i = ancestor + 1; i < kMembers; ++i) {
      if (!descends_from(i, ancestor) || gone_at_[i] == 0) continue;
      if (generation_of(i) - generation_of(ancestor) != generation) continue;
      last = std::max(last, gone_at_[i] - gone_at_[ancestor]);
    }
    return last;
  }

 private:
  FamilyBoard& board_;
  mpc::Fd pidfds_[kMembers];
  double gone_at_[kMembers] = {};
};

class Rounds {
 public:
  Rounds(mpc_start_method method, uint32_t seed) : method_(method), random_(seed) {}

  void run(uint32_t moments);
  void print() const;
  // Leaves nobody behind.
  void abandon();

 private:
  void begin_family();
  void end_family();
  void round();
  void end(uint32_t victim, uint32_t way);
  void wait_for_nobody();
  void expect_detached_live();
  void expect_balance();

  mpc_start_method method_;
  std::mt19937 random_;
  mpc_ref board_ref_{};
  FamilyBoard* board_ = nullptr;
  pid_t root_ = 0;
  Books before_;
  double window_ = 0;  // how long the starts take, about
  uint32_t rounds_ = 0;
  uint32_t inside_ = 0;
  uint32_t ways_[3] = {};
  uint32_t detached_ = 0;
  std::vector<double> last_[kGenerations + 1];  // by generation; 0: of all
};

void Rounds::begin_family() {
  memset(static_cast<void*>(board_), 0, sizeof *board_);
  fflush(nullptr);
  pid_t driver = getpid();
  root_ = fork();
  if (root_ < 0) fault("fork: %s", strerror(errno));
  if (root_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setpgid(0, 0);
    if (getppid() != driver) _exit(1);
    live_as_root(method_, board_ref_);
  }
  setpgid(root_, root_);
}

// The zombies of the family come to this process, which is why none of it is missed.
void Rounds::wait_for_nobody() {
  double began = now_ms();
  while (kill(-root_, 0) == 0 || errno != ESRCH) {
    while (waitpid(-root_, nullptr, WNOHANG) > 0) {
    }
    if (now_ms() - began > kPatience) fault("a descendant outlives its parent");
    nap_ms(0.1);
  }
}

void Rounds::expect_detached_live() {
  for (auto& pid : board_->detached) {
    if (pid.load() == 0) continue;
    if (waitpid(pid.load(), nullptr, WNOHANG) != 0) fault("a detached process did not live on");
    ++detached_;
    kill(pid.load(), SIGKILL);
    waitpid(pid.load(), nullptr, 0);
  }
}

void Rounds::end_family() {
  kill(root_, SIGKILL);
  wait_for_nobody();
  expect_detached_live();
}

void Rounds::expect_balance() {
  expect_ok(mpc_group_sweep(nullptr), "mpc_group_sweep");
  Census(group_stats().address).expect_no_dead_named();
  before_.expect_balance(Books::now());
}

void Rounds::end(uint32_t victim, uint32_t way) {
  constexpr int kWays[] = {SIGKILL, kExitSignal, kAbortSignal};
  Watched watched(*board_);
  watched.look();
  kill(board_->pids[victim].load(), kWays[way]);
  double began = now_ms();
  for (watched.look(); !watched.all_gone(victim); watched.look()) {
    if (now_ms() - began > kPatience) fault("a descendant outlives its parent");
    nap_ms(0.05);
  }
  double last = -1;
  for (uint32_t generation = 1; generation <= kGenerations; ++generation) {
    double of_generation = watched.last_of(victim, generation);
    if (of_generation >= 0) last_[generation].push_back(of_generation);
    last = std::max(last, of_generation);
  }
  if (last >= 0) last_[0].push_back(last);
}

void Rounds::round() {
  begin_family();
  double moment = std::uniform_real_distribution<double>(0, window_)(random_);
  nap_ms(moment);
  // Mostly the root; now and then a parent that has a parent.
  uint32_t victim = random_() % 4 == 0 ? 1 + random_() % 2 : 0;
  if (board_->pids[victim].load() == 0) victim = 0;
  uint32_t way = rounds_ % 3;
  if (board_->pids[victim].load() != 0) end(victim, way);
  end_family();
  ++rounds_;
  bool inside = board_->begun.load() != board_->done.load();
  if (inside) {
    ++inside_;
    ++ways_[way];
  }
  window_ *= inside ? 1.01 : 0.97;
  if (rounds_ % kRoundsBetweenBooks == 0) expect_balance();
}

void Rounds::run(uint32_t moments) {
  mpc_block* block;
  expect_ok(mpc_group_join(), "mpc_group_join");
  expect_ok(mpc_block_create(sizeof *board_, &block), "mpc_block_create");
  expect_ok(mpc_block_ref(block, &board_ref_), "mpc_block_ref");
  board_ = static_cast<FamilyBoard*>(mpc_block_address(block));
  start_and_join(method_, 20);
  before_ = Books::now();
  double began = now_ms();
  begin_family();
  while (board_->done.load() < kStarts) {
    if (now_ms() - began > kPatience) fault("a family does not come about");
    nap_ms(0.1);
  }
  window_ = now_ms() - began;
  end_family();
  while (inside_ < moments) {
    if (rounds_ > 20 * (moments + 10)) fault("the moments do not land where starts are going on");
    round();
  }
  start_and_join(method_, 20);
  expect_balance();
}

void Rounds::abandon() {
  if (root_ == 0) return;
  kill(-root_, SIGKILL);
  for (auto& pid : board_->detached) {
    if (pid.load() != 0) kill(pid.load(), SIGKILL);
  }
}

void Rounds::print() const {
  printf(
      "%s: %u moments inside a start (%u SIGKILL, %u _exit, %u abort) of %u; %u detached "
      "processes lived on\n",
      mpc_start_method_name(method_), inside_, ways_[0], ways_[1], ways_[2], rounds_, detached_);
  for (uint32_t generation = 0; generation <= kGenerations; ++generation) {
    std::vector<double> times = last_[generation];
    if (times.empty()) continue;
    std::sort(times.begin(), times.end());
    std::string what = generation == 0 ? "parent's death to last descendant gone"
                                       : "  of generation " + std::to_string(generation);
    printf("%-40s | %5zu times | median %7.2f ms | worst %7.2f ms | at most %.0f ms | %s\n",
           what.c_str(), times.size(), times[times.size() / 2], times.back(), kOrphanBar,
           times.back() <= kOrphanBar ? "met" : "missed");
  }
}

}  // namespace
}  // namespace kill_tests

int main(int argc, char** argv) {
  if (int code = kill_tests::run_started(argc, argv); code >= 0) return code;
  mpc_start_method method = MPC_START_DEFAULT;
  uint32_t moments = 1000;
  uint32_t seed = 1;
  for (int i = 1; i < argc; ++i) {
    if (strcmp(argv[i], "--moments") == 0 && i + 1 < argc) {
      moments = static_cast<uint32_t>(strtoul(argv[++i], nullptr, 10));
    } else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc) {
      seed = static_cast<uint32_t>(strtoul(argv[++i], nullptr, 10));
    } else {
      method = kill_tests::start_method_named(argv[i]);
    }
  }
  if (method == MPC_START_DEFAULT || moments == 0) return 2;
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  kill_tests::Rounds rounds(method, seed);
  try {
    rounds.run(moments);
  } catch (const std::exception& caught) {
    printf("caught: %s\n", caught.what());
    rounds.abandon();
    return 1;
  }
  rounds.print();
  return 0;
}
