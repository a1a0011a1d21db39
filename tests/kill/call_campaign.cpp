// SPDX-License-Identifier: Apache-2.0
// A first pass counts the system-call stops of one role in one victim's work. Then, for each of
// them, a fresh victim is brought there, that role is killed, everybody else is let go, and the
// books are compared; and once more behind each call with the role stopped.
//
//   killed: the parent      nothing that came of it is left
//           the child       its parent is told -9
//           the supervisor  the parent's work is done, by another supervisor where one is needed;
//           or its maker    a child that runs already goes on
//   stopped                 survivors go on; the parent's work is done when the role goes on, or,
//                           where it is the supervisor, while it does not
#include "call_campaign.hpp"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "call_tracer.hpp"
#include "call_victims.hpp"
#include "census.hpp"
#include "fault.hpp"
#include "starts.hpp"

namespace kill_tests {
namespace {

constexpr uint32_t kStartsInAll = 1000;
constexpr uint32_t kStartsAfterEach = 3;
constexpr double kOrphanBar = 100;  // milliseconds
constexpr int kUnknownExit = 255;
constexpr double kPatience = 15000;  // milliseconds; less than that of who watches this one
// A stopped supervisor is waited for before another is made, which takes seconds for each place;
// and a fresh image comes up in the same way in each work.
constexpr uint32_t kSupervisorStalls = 4;
constexpr uint32_t kSupervisorStallsLong = 16;
constexpr uint32_t kMostStops = 100;

class CallCampaign {
 public:
  CallCampaign(mpc_start_method method, Progress& progress, bool thorough)
      : method_(method), progress_(progress), thorough_(thorough) {}

  Tally run();

 private:
  void run_work(const VictimWork& work);
  void run_role(const VictimWork& work, Role role);
  uint32_t count_stops(const VictimWork& work, Role role);
  void strike_at(const VictimWork& work, const Moment& moment);
  void forget_told();
  double wait_for_victim(CallTracer& tracer);
  void wait_for_all(CallTracer& tracer);
  void expect_told(const VictimWork& work, const Moment& moment, const CallTracer& tracer) const;
  void expect_balance();
  void survivors_start(uint32_t times);
  void say(const VictimWork& work, const Moment& moment);
  void print_orphans();

  mpc_start_method method_;
  Progress& progress_;
  bool thorough_;
  Tally tally_;
  Books before_;
  Told* told_ = nullptr;
  uint32_t* begun_ = nullptr;  // how many children have
  mpc_ref shared_{};
  std::vector<double> orphans_;  // from the death of a parent to that of the last descendant
};

void CallCampaign::say(const VictimWork& work, const Moment& moment) {
  const char* what = moment.strike == Strike::kNothing ? "nobody is struck"
                     : moment.strike == Strike::kKill  ? "kill"
                                                       : "stop";
  snprintf(progress_.doing, sizeof progress_.doing, "calls.%s, %s, %s %s at stop %u",
           mpc_start_method_name(method_), work.name, what, role_name(moment.role), moment.stop);
  ++progress_.moves;
}

void CallCampaign::survivors_start(uint32_t times) {
  start_and_join(method_, times);
  tally_.repeats += times;
}

void CallCampaign::forget_told() {
  memset(told_, 0, sizeof *told_);
  __atomic_store_n(begun_, 0, __ATOMIC_RELAXED);
}

// When the kernel told its end.
double CallCampaign::wait_for_victim(CallTracer& tracer) {
  double told = 0;
  double began = now_ms();
  for (; !tracer.victim_ended(); tracer.pump()) {
    if (now_ms() - began > kPatience) fault("the parent does not come to its end");
    pollfd death{tracer.victim_pidfd(), POLLIN, 0};
    timespec tick{0, 200000};
    if (ppoll(&death, 1, &tick, nullptr) == 1 && told == 0) told = now_ms();
  }
  return told != 0 ? told : now_ms();
}

void CallCampaign::wait_for_all(CallTracer& tracer) {
  double began = now_ms();
  for (tracer.pump(); tracer.anybody_left(); tracer.pump()) {
    if (now_ms() - began > kPatience) fault("a descendant outlives the parent");
    nap_ms(0.1);
  }
}

void CallCampaign::expect_told(const VictimWork& work, const Moment& moment,
                               const CallTracer& tracer) const {
  uint32_t begun = __atomic_load_n(begun_, __ATOMIC_RELAXED);
  if (begun > work.children) fault("%u children began where %u were started", begun, work.children);
  int status = tracer.wait_status();
  bool parent_killed = moment.role == Role::kParent && moment.strike == Strike::kKill;
  if (parent_killed && tracer.struck() != 0) {
    if (!WIFSIGNALED(status)) fault("a killed parent ended with wait status %d", status);
    return;
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    fault("the parent ended with wait status %d", status);
  }
  if (told_->told == 0) fault("the parent ended before its work was done");
  int code = told_->exit_code;
  bool expected = code == work.exit_code;
  if (tracer.struck() != 0 && moment.strike == Strike::kKill && moment.role == Role::kChild) {
    expected =
        code == -SIGKILL || (code == -SIGTERM && work.exit_code == -SIGTERM) || work.exit_code == 0;
  }
  // How a signal ended a child knows only who reaps it, and the supervisor cannot tell any more.
  if (moment.role == Role::kServer && work.exit_code < 0) {
    expected = expected || code == kUnknownExit;
  }
  if (!expected) fault("the child's exit code is told as %d", code);
}

void CallCampaign::expect_balance() {
  expect_ok(mpc_group_sweep(nullptr), "mpc_group_sweep");
  Census(group_stats().address).expect_no_dead_named();
  before_.expect_balance(Books::now());
}

uint32_t CallCampaign::count_stops(const VictimWork& work, Role role) {
  Moment nothing{role, 0, Strike::kNothing};
  say(work, nothing);
  forget_told();
  uint32_t stops = 0;
  {
    CallTracer tracer(method_, nothing);
    tracer.run([&] { work.live(method_, shared_, *told_); });
    wait_for_all(tracer);
    expect_told(work, nothing, tracer);
    stops = tracer.stops();
  }
  expect_balance();
  return stops;
}

void CallCampaign::strike_at(const VictimWork& work, const Moment& moment) {
  say(work, moment);
  forget_told();
  {
    CallTracer tracer(method_, moment);
    bool struck = tracer.run([&] { work.live(method_, shared_, *told_); });
    bool stopped = struck && moment.strike == Strike::kStop;
    if (!struck) {
      ++tally_.missed;
    } else {
      ++(stopped ? tally_.stalls : tally_.kills);
    }
    bool of_server = (moment.role == Role::kServer || moment.role == Role::kMaker) &&
                     !tracer.struck_holds_up_parent();
    if (stopped && !of_server) {
      survivors_start(1);
      expect_ok(mpc_group_sweep(nullptr), "mpc_group_sweep");
      kill(tracer.struck(), SIGCONT);
    }
    double told = wait_for_victim(tracer);
    if (stopped && of_server) kill(tracer.struck(), SIGCONT);
    wait_for_all(tracer);
    bool parent_killed = struck && !stopped && moment.role == Role::kParent;
    if (parent_killed) orphans_.push_back(now_ms() - told);
    expect_told(work, moment, tracer);
  }
  expect_balance();
  survivors_start(kStartsAfterEach);
  progress_.tally = tally_;
}

void CallCampaign::run_role(const VictimWork& work, Role role) {
  uint32_t stops = count_stops(work, role);
  if (stops == 0) return;
  Tally before = tally_;
  tally_.points += stops;
  bool fresh = role == Role::kMaker || (role == Role::kChild && work.exit_code != kReturned);
  uint32_t kills = fresh && !thorough_ ? std::min(stops, kMostStops) : stops;
  for (uint32_t i = 0; i < kills; ++i) {
    strike_at(work, Moment{role, i * stops / kills + 1, Strike::kKill});
  }
  // Before a call and behind it are the same to one who is stopped.
  uint32_t calls = stops / 2;
  bool slow = role == Role::kServer || role == Role::kMaker;
  uint32_t stalls = thorough_ ? calls : std::min(calls, kMostStops / 2);
  if (slow) stalls = std::min(calls, thorough_ ? kSupervisorStallsLong : kSupervisorStalls);
  for (uint32_t i = 0; i < stalls; ++i) {
    strike_at(work, Moment{role, 2 * (i * calls / stalls) + 1, Strike::kStop});
  }
  printf("  %-10s %-10s %-10s %4u stops: %4u kills, %4u stalls, %u missed\n",
         mpc_start_method_name(method_), work.name, role_name(role), stops,
         tally_.kills - before.kills, tally_.stalls - before.stalls, tally_.missed - before.missed);
  fflush(stdout);
}

void CallCampaign::print_orphans() {
  if (orphans_.empty()) return;
  std::sort(orphans_.begin(), orphans_.end());
  double median = orphans_[orphans_.size() / 2];
  double worst = orphans_.back();
  printf(
      "  parent killed to last descendant gone, %zu times: median %.2f ms, worst %.2f ms "
      "(at most %.0f ms: %s)\n",
      orphans_.size(), median, worst, kOrphanBar, worst <= kOrphanBar ? "met" : "missed");
}

Tally CallCampaign::run() {
  void* page =
      mmap(nullptr, sizeof(Told), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) fault("no memory for what a victim tells");
  told_ = static_cast<Told*>(page);
  orphans_.reserve(10000);
  mpc_block* block;
  expect_ok(mpc_group_join(), "mpc_group_join");
  expect_ok(mpc_block_create(1000, &block), "mpc_block_create");
  expect_ok(mpc_block_ref(block, &shared_), "mpc_block_ref");
  begun_ = static_cast<uint32_t*>(mpc_block_address(block));
  survivors_start(50);
  before_ = Books::now();
  for (const VictimWork& work : victim_works(method_)) {
    for (Role role : {Role::kServer, Role::kMaker, Role::kParent, Role::kChild}) {
      run_role(work, role);
    }
  }
  if (tally_.kills == 0) fault("nobody made a system call");
  if (tally_.repeats < kStartsInAll) survivors_start(kStartsInAll - tally_.repeats);
  before_.expect_balance(Books::now());
  print_orphans();
  return tally_;
}

}  // namespace

std::vector<Operation> call_campaigns() {
  std::vector<Operation> campaigns;
  for (mpc_start_method method : start_methods()) {
    Operation campaign;
    campaign.name = std::string("calls.") + mpc_start_method_name(method);
    campaign.run = [method](Progress& progress, bool thorough) {
      return CallCampaign(method, progress, thorough).run();
    };
    campaigns.push_back(std::move(campaign));
  }
  return campaigns;
}

}  // namespace kill_tests
