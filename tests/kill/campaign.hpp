// SPDX-License-Identifier: Apache-2.0
// Kills, and stops, the victim of one operation at every step that others can see.
//
// A first pass steps through the operation one instruction at a time and notes each that changed
// group memory or entered the kernel. Then, for each of these, a fresh victim is brought to the
// same place and killed there, the survivors go on, and the books are compared; and once more with
// the victim stopped there, others killed and swept meanwhile, and the victim let go on.
#ifndef MPC_TESTS_KILL_CAMPAIGN_HPP
#define MPC_TESTS_KILL_CAMPAIGN_HPP

#include <cstdint>
#include <string>
#include <vector>

#include "books.hpp"
#include "operation.hpp"
#include "tracee.hpp"

namespace kill_tests {

struct Tally {
  uint32_t steps = 0;   // instructions of the operation
  uint32_t points = 0;  // of these, seen by others
  uint32_t kills = 0;
  uint32_t stalls = 0;
  uint32_t missed = 0;   // victims that took another way: neither killed nor stopped there
  uint32_t repeats = 0;  // by the survivors, after each
};

struct Progress;

class Campaign {
 public:
  // `say` is told what is being done, for whoever watches whether it goes on.
  Campaign(const Operation& operation, Progress& progress);

  Tally run_short();
  // Every instruction up to 2,000, and 1,000 beyond, picked at random; and 1,000 repeats after
  // each.
  Tally run_long(uint32_t seed);

 private:
  struct Victim;

  // An operation takes another way where what it needs is at hand than where it is not.
  enum class State { kWarm, kCold };
  void put_into(State state);

  void begin();
  std::vector<Point> record(State state);
  void kill_and_stall_all(State state, const std::vector<Point>& points);
  void kill_at(uint32_t index, const Point& point, bool by_steps);
  void stall_at(uint32_t index, const Point& point);
  void kill_another(uint32_t index);
  bool bring_to(Victim& victim, const Point& point, bool by_steps);
  void thin_out();
  void account_for_dead(Victim& victim, uint32_t index);
  void note_commit(uint32_t index, Committed committed);
  void expect_balance();
  void say(const char* what, uint32_t index);

  const Operation& operation_;
  Progress& progress_;
  Books before_;
  std::vector<Point> points_;
  State state_ = State::kWarm;
  uint32_t steps_ = 0;
  int64_t commits_at_ = -1;
  uint32_t repeats_;
  uint32_t most_points_;
  Tally tally_;
};

// What a campaign is doing, in memory that whoever watches it sees too.
struct Progress {
  uint64_t moves;
  char doing[128];
  Tally tally;
};

}  // namespace kill_tests

#endif
