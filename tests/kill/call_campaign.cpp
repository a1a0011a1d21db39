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

#include "call_parts.hpp"
#include "call_tracer.hpp"
#include "call_victims.hpp"
#include "census.hpp"
#include "fault.hpp"
#include "starts.hpp"

namespace kill_tests {
namespace {

constexpr uint32_t kStartsInAll = 1000;
// The only thing that is thinned out: after each of 7,000 strikes 1,000 starts, as often as the
// other campaigns repeat what they do, would take an hour or two.
constexpr uint32_t kStartsAfterEach = 3;
constexpr uint32_t kStartsAfterEachLong = 50;
constexpr double kOrphanBar = 100;  // milliseconds
constexpr int kUnknownExit = 255;
constexpr double kPatience = 15000;  // milliseconds; less than that of who watches this one
// A stopped supervisor is waited for before another is made, for seconds: others go on meanwhile.
constexpr uint32_t kPartsOfServer = 8;

class CallCampaign {
 public:
  CallCampaign(mpc_start_method method, const Part& part, bool thorough)
      : method_(method),
        part_(part),
        progress_(part.report.progress),
        starts_after_each_(thorough ? kStartsAfterEachLong : kStartsAfterEach) {}

  void run();

 private:
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

  mpc_start_method method_;
  const Part& part_;
  Progress& progress_;
  uint32_t starts_after_each_;
  Tally tally_;
  Books before_;
  Told* told_ = nullptr;
  uint32_t* begun_ = nullptr;  // how many children have
  mpc_ref shared_{};
};

void CallCampaign::say(const VictimWork& work, const Moment& moment) {
  const char* what = moment.strike == Strike::kNothing ? "nobody is struck"
                     : moment.strike == Strike::kKill  ? "kill"
                                                       : "stop";
  snprintf(progress_.doing, sizeof progress_.doing, "calls.%s, %s, %s %s at stop %u",
           mpc_start_method_name(method_), work.name, what, role_name(moment.role), moment.stop);
  ++progress_.moves;
  part_.report.expect_to_go_on();
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
    if (parent_killed) part_.report.add_orphan(now_ms() - told);
    expect_told(work, moment, tracer);
  }
  expect_balance();
  survivors_start(starts_after_each_);
  progress_.tally = tally_;
}

void CallCampaign::run_role(const VictimWork& work, Role role) {
  uint32_t stops = count_stops(work, role);
  Tally before = tally_;
  for (uint32_t stop = part_.index; stop < stops; stop += part_.count) {
    ++tally_.points;
    strike_at(work, Moment{role, stop + 1, Strike::kKill});
  }
  // Before a call and behind it are the same to one who is stopped.
  for (uint32_t call = part_.index; call < stops / 2; call += part_.count) {
    strike_at(work, Moment{role, 2 * call + 1, Strike::kStop});
  }
  if (part_.report.role_count == PartReport::kMostRoles) fault("there are more roles than places");
  RoleTally& told = part_.report.roles[part_.report.role_count++];
  snprintf(told.name, sizeof told.name, "%-10s %-10s", work.name, role_name(role));
  told.tally.points = tally_.points - before.points;
  told.tally.kills = tally_.kills - before.kills;
  told.tally.stalls = tally_.stalls - before.stalls;
  told.tally.missed = tally_.missed - before.missed;
}

void CallCampaign::run() {
  void* page =
      mmap(nullptr, sizeof(Told), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) fault("no memory for what a victim tells");
  told_ = static_cast<Told*>(page);
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
  uint32_t share = kStartsInAll / part_.count;
  if (tally_.repeats < share) survivors_start(share - tally_.repeats);
  before_.expect_balance(Books::now());
  progress_.tally = tally_;
}

void print_roles(mpc_start_method method, const PartReport& sum) {
  for (uint32_t i = 0; i < sum.role_count; ++i) {
    const RoleTally& role = sum.roles[i];
    if (role.tally.points == 0) continue;
    printf("  %-10s %s %4u stops: %4u kills, %4u stalls, %u missed\n",
           mpc_start_method_name(method), role.name, role.tally.points, role.tally.kills,
           role.tally.stalls, role.tally.missed);
  }
}

void print_orphans(PartReport& sum) {
  uint32_t count = sum.orphan_count;
  if (count == 0) return;
  std::sort(sum.orphans, sum.orphans + count);
  double median = sum.orphans[count / 2];
  double worst = sum.orphans[count - 1];
  printf(
      "  parent killed to last descendant gone, %u times: median %.2f ms, worst %.2f ms "
      "(at most %.0f ms: %s)\n",
      count, median, worst, kOrphanBar, worst <= kOrphanBar ? "met" : "missed");
}

Tally run_campaign(mpc_start_method method, Progress& progress, bool thorough) {
  uint32_t parts = method == MPC_START_FORKSERVER ? kPartsOfServer : 1;
  PartReport& sum = run_parts(parts, progress, [method, thorough](const Part& part) {
    CallCampaign(method, part, thorough).run();
  });
  print_roles(method, sum);
  print_orphans(sum);
  return sum.progress.tally;
}

}  // namespace

std::vector<Operation> call_campaigns() {
  std::vector<Operation> campaigns;
  for (mpc_start_method method : start_methods()) {
    Operation campaign;
    campaign.name = std::string("calls.") + mpc_start_method_name(method);
    campaign.run = [method](Progress& progress, bool thorough) {
      return run_campaign(method, progress, thorough);
    };
    campaigns.push_back(std::move(campaign));
  }
  return campaigns;
}

}  // namespace kill_tests
