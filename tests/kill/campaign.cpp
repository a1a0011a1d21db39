// SPDX-License-Identifier: Apache-2.0
#include "campaign.hpp"

#include <linux/futex.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <optional>
#include <random>

#include "census.hpp"
#include "fault.hpp"
#include "watched_range.hpp"

namespace kill_tests {
namespace {

// Where the victim's operation begins and ends. Each must keep an address of its own.
__attribute__((noinline)) void operation_begins() { asm volatile("" ::: "memory"); }
__attribute__((noinline)) void operation_ends() { asm volatile("nop" ::: "memory"); }

uint64_t begin_place() { return reinterpret_cast<uint64_t>(&operation_begins); }
uint64_t end_place() { return reinterpret_cast<uint64_t>(&operation_ends); }

constexpr int kFinished = 42;
// How far a victim is followed that others are kept from helping.
constexpr size_t kPointsAlone = 24;

// Fewer where MPC_KILL_REPEATS says so: for a second run on the same machine.
uint32_t repeats_wanted(const Operation& operation) {
  const char* wish = getenv("MPC_KILL_REPEATS");
  long most = wish != nullptr ? strtol(wish, nullptr, 10) : 0;
  return most > 0 ? std::min(operation.repeats, static_cast<uint32_t>(most)) : operation.repeats;
}

// A survivor keeps what the victim works on until the victim's fate is known.
void wait_for_go(Notes& notes) {
  while (__atomic_load_n(&notes.go, __ATOMIC_SEQ_CST) == 1) {
    syscall(SYS_futex, &notes.go, FUTEX_WAIT, 1, nullptr, nullptr, 0);
  }
}

}  // namespace

// A process that stands before its operation.
struct Campaign::Victim {
  explicit Victim(const Operation& operation) : part(operation.make()), process(start()) {
    process.on_fork = [this](pid_t child) {
      part->born(child);
      ptrace(PTRACE_DETACH, child, nullptr, nullptr);
    };
    if (!process.run_to_stop_signal()) fault("a victim could not be set up");
    part->before_operation();
    if (pid_t chosen = part->descendant()) {
      take_descendant(chosen);
    } else if (!process.run_until(begin_place())) {
      fault("a victim ended before its operation");
    }
    if (pid_t other = part->held_meanwhile()) {
      // What the victim does depends on whether the other sleeps.
      wait_until_idle(other);
      held.emplace(Tracee::seize(other));
    }
  }

  Tracee start() {
    part->prepare();
    Case& mine = *part;
    return Tracee::fork([&mine] {
      mine.set_up();
      raise(SIGSTOP);
      operation_begins();
      mine.operate();
      operation_ends();
      mine.notes().flag = kFinished;
      wait_for_go(mine.notes());
      mine.finish();
      _exit(kFinished);
    });
  }

  // The process that was held until now becomes a survivor.
  void take_descendant(pid_t chosen) {
    Tracee taken = Tracee::seize(chosen);
    part->notes().go = 1;
    process.let_go();
    survivor.emplace(std::move(process));
    process = std::move(taken);
    process.tired = [this] { return part->notes().flag == kFinished; };
  }

  void release_held() {
    if (held) held->let_go();
  }
  void let_held_work() {
    if (!held) return;
    held->let_go();
    wait_until_idle(held->pid());
  }

  bool at_end() const { return process.place() == end_place(); }

  void give_go() {
    __atomic_store_n(&part->notes().go, 2, __ATOMIC_SEQ_CST);
    syscall(SYS_futex, &part->notes().go, FUTEX_WAKE, 1, nullptr, nullptr, 0);
  }

  // Lets it go on to its end, which must be a good one.
  void run_out() {
    process.let_go();
    give_go();
    expect_good_end(survivor ? *survivor : process);
  }

  static void expect_good_end(Tracee& tracee) {
    int status = tracee.wait_for_end();
    if (!WIFEXITED(status) || WEXITSTATUS(status) != kFinished) {
      fault("a process that went on ended with wait status %d", status);
    }
  }

  std::unique_ptr<Case> part;
  Tracee process;
  std::optional<Tracee> survivor;
  std::optional<Tracee> held;
};

Campaign::Campaign(const Operation& operation, Progress& progress)
    : operation_(operation),
      progress_(progress),
      repeats_(repeats_wanted(operation)),
      most_points_(operation.most_points) {}

void Campaign::say(const char* what, uint32_t index) {
  snprintf(progress_.doing, sizeof progress_.doing, "%s, %s %u of %zu", operation_.name.c_str(),
           what, index + 1, points_.size());
  ++progress_.moves;
  progress_.tally = tally_;
}

void Campaign::begin() {
  expect_ok(mpc_group_join(), "mpc_group_join");
  // What is set up once, in the library and in the C library, is set up by a whole operation.
  for (int i = 0; i < 2; ++i) {
    Victim victim(operation_);
    victim.release_held();
    victim.run_out();
    expect_ok(mpc_group_sweep(nullptr), "mpc_group_sweep");
    victim.part->settle(false);
    operation_.repeat(repeats_);
  }
}

// Cold: what the allocator keeps for the next time is given back, as it is after a death.
void Campaign::put_into(State state) {
  // The library tidies up now and then; this is the time for it, rather than in the operation.
  operation_.repeat(8);
  if (state == State::kWarm) return;
  Tracee doomed = Tracee::fork([] {
    void* block;
    must(mpc_group_alloc(64, &block), "mpc_group_alloc");
    raise(SIGSTOP);
  });
  if (!doomed.run_to_stop_signal()) fault("a process could not be prepared to be swept");
  doomed.kill();
  doomed.reap();
  expect_ok(mpc_group_sweep(nullptr), "mpc_group_sweep");
}

std::vector<Point> Campaign::record(State state) {
  state_ = state;
  points_.clear();
  steps_ = 0;
  say("recording", 0);
  put_into(state_);
  {
    Victim victim(operation_);
    WatchedRange memory(reinterpret_cast<const void*>(group_stats().address));
    std::map<uint64_t, uint32_t> seen;
    while (!victim.at_end() && !(victim.held && points_.size() == kPointsAlone)) {
      uint64_t place = victim.process.place();
      bool kernel = victim.process.at_kernel_entry();
      if (!victim.process.step()) {
        if (victim.survivor && !victim.process.ended()) break;
        fault("a victim ended in the middle of its operation");
      }
      uint32_t occurrence = ++seen[place];
      if (memory.changed() || kernel) points_.push_back({place, occurrence, steps_ + 1, kernel});
      if (++steps_ % 1000 == 0) say("recording", 0);
    }
    victim.release_held();
    victim.run_out();
    expect_ok(mpc_group_sweep(nullptr), "mpc_group_sweep");
    victim.part->settle(false);
  }
  if (points_.empty()) fault("the operation did nothing that others can see");
  tally_.points += static_cast<uint32_t>(points_.size());
  tally_.steps = std::max(tally_.steps, steps_);
  thin_out();
  return std::move(points_);
}

void Campaign::thin_out() {
  size_t all = points_.size();
  size_t kept = std::min<size_t>(all, most_points_);
  for (size_t i = 0; i < kept; ++i) points_[i] = points_[i * all / kept];
  points_.resize(kept);
}

bool Campaign::bring_to(Victim& victim, const Point& point, bool by_steps) {
  bool alone = !operation_.waits_for_others || victim.held;
  if (!by_steps && alone) return victim.process.run_to(point);
  for (uint32_t i = 0; i < point.steps; ++i) {
    if (victim.at_end() || !victim.process.step()) return false;
  }
  return true;
}

void Campaign::expect_balance() {
  Census(group_stats().address).expect_no_dead_named();
  before_.expect_balance(Books::now());
}

// The sweep may come first, or only after others have worked beside what the dead left; the dead
// may be a zombie then or be gone.
void Campaign::account_for_dead(Victim& victim, uint32_t index) {
  Census census(group_stats().address);
  pid_t pid = victim.process.pid();
  if (victim.survivor) {
    victim.process.reap();
    victim.give_go();
    Victim::expect_good_end(*victim.survivor);
  }
  auto owner = census.find(pid);
  if (index / 2 % 2 == 0) victim.process.reap();
  if (index % 2 == 1) operation_.repeat(repeats_);
  uint32_t swept = 0;
  expect_ok(mpc_group_sweep(&swept), "mpc_group_sweep");
  if (owner && census.find(pid)) fault("a sweep left the record of a dead process");
  victim.process.reap();
}

void Campaign::kill_at(uint32_t index, const Point& point, bool by_steps) {
  say("kill", index);
  put_into(state_);
  Victim victim(operation_);
  bool reached = bring_to(victim, point, by_steps);
  victim.process.kill();
  victim.release_held();
  Committed committed = victim.part->look(victim.process.pid());
  account_for_dead(victim, index);
  Committed settled = victim.part->settle(true);
  if (committed == Committed::kUnknown) committed = settled;
  if (index % 2 == 0) operation_.repeat(repeats_);
  expect_balance();
  ++(reached ? tally_.kills : tally_.missed);
  if (reached && !by_steps) note_commit(index, committed);
}

// What has happened at one step has happened at all later ones.
void Campaign::note_commit(uint32_t index, Committed committed) {
  if (committed == Committed::kYes && commits_at_ < 0) commits_at_ = index;
  if (committed == Committed::kNo && commits_at_ >= 0) {
    fault("the operation had happened at step %lld of those seen by others, and not at step %u",
          static_cast<long long>(commits_at_ + 1), index + 1);
  }
}

// Another victim of the same kind dies while the first is stopped, and is swept.
void Campaign::kill_another(uint32_t index) {
  const Point& point = points_[(index * 7 + 3) % points_.size()];
  Victim other(operation_);
  bring_to(other, point, false);
  other.process.kill();
  other.release_held();
  account_for_dead(other, index);
  other.part->settle(true);
}

void Campaign::stall_at(uint32_t index, const Point& point) {
  say("stall", index);
  put_into(state_);
  Victim victim(operation_);
  bool reached = bring_to(victim, point, false);
  victim.let_held_work();
  Census census(group_stats().address);
  auto owner = census.find(victim.process.pid());
  bool live = reached && owner && census.is_live(*owner);
  operation_.repeat(repeats_ / 2);
  kill_another(index);
  operation_.repeat(repeats_ / 2);
  expect_ok(mpc_group_sweep(nullptr), "mpc_group_sweep");
  if (live && !census.is_live(*owner)) fault("a process that was only stopped was swept");
  census.expect_no_dead_named();
  if (!victim.process.ended() || victim.survivor) victim.run_out();
  expect_ok(mpc_group_sweep(nullptr), "mpc_group_sweep");
  victim.part->settle(false);
  operation_.repeat(1);
  expect_balance();
  ++(reached ? tally_.stalls : tally_.missed);
}

void Campaign::kill_and_stall_all(State state, const std::vector<Point>& points) {
  state_ = state;
  points_ = points;
  commits_at_ = -1;
  for (uint32_t i = 0; i < points_.size(); ++i) kill_at(i, points_[i], false);
  for (uint32_t i = 0; i < points_.size(); ++i) stall_at(i, points_[i]);
}

Tally Campaign::run_short() {
  begin();
  tally_.repeats = repeats_;
  // Both at first: comparing memory costs more the more of it has been used.
  std::vector<Point> warm = record(State::kWarm);
  std::vector<Point> cold = record(State::kCold);
  before_ = Books::now();
  kill_and_stall_all(State::kWarm, warm);
  kill_and_stall_all(State::kCold, cold);
  return tally_;
}

Tally Campaign::run_long(uint32_t seed) {
  repeats_ = 1000;
  most_points_ = UINT32_MAX;
  run_short();
  std::mt19937 random(seed);
  uint32_t points = tally_.points;
  points_ = record(State::kWarm);
  tally_.points = points;
  before_ = Books::now();
  std::vector<uint32_t> steps;
  for (uint32_t k = 1; k <= std::min(steps_, 2000u); ++k) steps.push_back(k);
  if (steps_ > 2000) {
    std::uniform_int_distribution<uint32_t> beyond(2001, steps_);
    for (int i = 0; i < 1000; ++i) steps.push_back(beyond(random));
  }
  for (uint32_t k : steps) kill_at(k, Point{0, 0, k, false}, true);
  return tally_;
}

}  // namespace kill_tests
