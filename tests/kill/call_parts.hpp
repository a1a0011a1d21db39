// SPDX-License-Identifier: Apache-2.0
// A campaign in parts, side by side: each has a driver of its own, which is the root of a group of
// its own. Whoever waits for a stopped process leaves the CPU to the others.
#ifndef MPC_TESTS_KILL_CALL_PARTS_HPP
#define MPC_TESTS_KILL_CALL_PARTS_HPP

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "campaign.hpp"

namespace kill_tests {

// What came of one role in one work.
struct RoleTally {
  char name[40];
  Tally tally;
};

// In memory that the campaign's driver sees too.
struct PartReport {
  static constexpr uint32_t kMostRoles = 32;
  static constexpr uint32_t kMostOrphans = 4096;

  Progress progress;
  char caught[512];  // empty: every promise held
  uint32_t stop;     // not 0: another part has caught something
  uint32_t role_count;
  RoleTally roles[kMostRoles];
  uint32_t orphan_count;
  double orphans[kMostOrphans];  // ms from the death of a parent to that of the last descendant

  void add_orphan(double milliseconds);
  // Throws where this part is to end, so that it takes everybody of its own with it.
  void expect_to_go_on() const;
};

struct Part {
  uint32_t index;
  uint32_t count;
  PartReport& report;
};

// Throws Fault where a part does. In the sum a role has the place that all parts gave it.
PartReport& run_parts(uint32_t count, Progress& progress,
                      const std::function<void(const Part&)>& body);

}  // namespace kill_tests

#endif
