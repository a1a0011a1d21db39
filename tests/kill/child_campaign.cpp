// SPDX-License-Identifier: Apache-2.0
#include "child_campaign.hpp"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <optional>

#include "census.hpp"
#include "fault.hpp"
#include "tracee.hpp"

namespace kill_tests {
namespace {

constexpr const char* kName = "process.child";
constexpr int kGood = 42;
constexpr int kReturned = 7;
constexpr uint32_t kForks = 1000;

int work(const void*, size_t, const mpc_ref* refs, size_t) {
  void* block;
  mpc_block* shared;
  must(mpc_group_alloc(1000, &block), "mpc_group_alloc");
  must(mpc_block_attach(refs, &shared), "mpc_block_attach");
  must(mpc_block_detach(shared), "mpc_block_detach");
  return kReturned;
}

// One start and one join; the exit code.
int start_and_join(bool stop_between) {
  mpc_block* block;
  mpc_ref ref;
  mpc_process* process;
  int exit_code = 0;
  must(mpc_block_create(1000, &block), "mpc_block_create");
  must(mpc_block_ref(block, &ref), "mpc_block_ref");
  mpc_process_options options = MPC_PROCESS_OPTIONS_INIT;
  options.refs = &ref;
  options.ref_count = 1;
  must(mpc_process_create(work, &options, &process), "mpc_process_create");
  must(mpc_process_start(process), "mpc_process_start");
  if (stop_between) raise(SIGSTOP);
  must(mpc_process_join(process, MPC_FOREVER), "mpc_process_join");
  must(mpc_process_exit_code(process, &exit_code), "mpc_process_exit_code");
  must(mpc_process_destroy(process), "mpc_process_destroy");
  must(mpc_block_destroy(block), "mpc_block_destroy");
  return exit_code;
}

void repeat(uint32_t times) {
  for (uint32_t i = 0; i < times; ++i) {
    if (start_and_join(false) != kReturned) _exit(103);
  }
}

// A starter that survives, and what it started, held at its birth.
class Family {
 public:
  explicit Family(int expected_exit_code)
      : starter_(Tracee::fork([expected_exit_code] {
          must(mpc_group_join(), "mpc_group_join");
          raise(SIGSTOP);
          if (start_and_join(true) != expected_exit_code) _exit(104);
          repeat(kForks);
          must(mpc_group_leave(), "mpc_group_leave");
          _exit(kGood);
        })) {
    if (!starter_.run_to_stop_signal()) fault("a starter could not be set up");
    starter_.on_fork = [this](pid_t born) { child_.emplace(Tracee::adopt(born)); };
    if (!starter_.run_to_stop_signal() || !child_) fault("a starter did not start anything");
    starter_.let_go();
  }

  Tracee& child() { return *child_; }

  void expect_good_end() {
    int status = starter_.wait_for_end();
    if (WIFEXITED(status) && WEXITSTATUS(status) == 104) fault("a wrong exit code was told");
    if (!WIFEXITED(status) || WEXITSTATUS(status) != kGood) {
      fault("a starter ended with wait status %d", status);
    }
  }

 private:
  Tracee starter_;
  std::optional<Tracee> child_;
};

// Each call stops it twice. What is behind a call is what is before the next one.
bool run_behind_calls(Tracee& child, uint32_t calls) {
  for (uint32_t i = 0; i < 2 * calls; ++i) {
    if (!child.run_to_system_call_stop()) return false;
  }
  return true;
}

void expect_balance(const Books& before) {
  expect_ok(mpc_group_sweep(nullptr), "mpc_group_sweep");
  Census(group_stats().address).expect_no_dead_named();
  before.expect_balance(Books::now());
}

void say(Progress& progress, const char* what, uint32_t calls) {
  snprintf(progress.doing, sizeof progress.doing, "%s, %s behind system call %u", kName, what,
           calls);
  ++progress.moves;
}

bool kill_behind(uint32_t calls, const Books& before) {
  Family family(-SIGKILL);
  if (!run_behind_calls(family.child(), calls)) return false;
  family.child().kill();
  family.child().reap();
  family.expect_good_end();
  expect_balance(before);
  return true;
}

void stall_behind(uint32_t calls, const Books& before) {
  Family family(kReturned);
  if (!run_behind_calls(family.child(), calls)) fault("a child took another way than before");
  repeat(kForks);
  expect_ok(mpc_group_sweep(nullptr), "mpc_group_sweep");
  Census(group_stats().address).expect_no_dead_named();
  family.child().let_go();
  family.expect_good_end();
  expect_balance(before);
}

Tally run_campaign(Progress& progress) {
  Tally tally;
  tally.repeats = kForks;
  expect_ok(mpc_group_join(), "mpc_group_join");
  repeat(100);
  Books before = Books::now();
  for (uint32_t calls = 1;; ++calls) {
    say(progress, "kill", calls);
    if (!kill_behind(calls, before)) break;
    ++tally.points;
    ++tally.kills;
    say(progress, "stall", calls);
    stall_behind(calls, before);
    ++tally.stalls;
    progress.tally = tally;
  }
  if (tally.points == 0) fault("a child made no system call");
  return tally;
}

}  // namespace

Operation child_campaign() {
  Operation campaign;
  campaign.name = kName;
  campaign.run = [](Progress& progress, bool) { return run_campaign(progress); };
  return campaign;
}

}  // namespace kill_tests
