// SPDX-License-Identifier: Apache-2.0
// What has to be the same after a death as before: memory, objects, participants, descriptors and
// mappings, as the public calls and the kernel tell them.
#ifndef MPC_TESTS_KILL_BOOKS_HPP
#define MPC_TESTS_KILL_BOOKS_HPP

#include <cstdint>
#include <string>

#include <mpc/group.h>

namespace kill_tests {

mpc_group_stats group_stats();

struct Books {
  uint64_t blocks = 0;
  uint64_t bytes = 0;
  uint64_t own_bytes = 0;
  uint64_t objects = 0;
  uint64_t participants = 0;
  uint32_t descriptors = 0;
  uint32_t mappings = 0;
  uint64_t memory_used = 0;  // may shrink, and grow a little: empty regions are kept for a while

  static Books now();
  // Throws Fault where `after` differs.
  void expect_balance(const Books& after) const;
};

// Regions that may be kept empty for the next block of a size.
inline constexpr uint64_t kKeptRegions = uint64_t{16} << 20;

}  // namespace kill_tests

#endif
