// SPDX-License-Identifier: Apache-2.0
#include "support/group_state.hpp"

#include <gtest/gtest.h>
#include <sched.h>

#include "support/program.hpp"
#include "support/wait.hpp"

namespace mpc::test {

std::string last_message() {
  char text[512] = "";
  mpc_last_error_message(text, sizeof text);
  return text;
}

mpc_group_stats swept_stats() {
  mpc_group_stats stats = MPC_GROUP_STATS_INIT;
  EXPECT_EQ(mpc_group_sweep(nullptr), MPC_OK) << last_message();
  EXPECT_EQ(mpc_group_stats_get(&stats), MPC_OK) << last_message();
  return stats;
}

void expect_group_as_before(const mpc_group_stats& before) {
  mpc_group_stats after = swept_stats();
  // The fork server of a process that has ended is on its way, and is in no count of participants.
  int64_t deadline = now_ns() + kLongEnough;
  auto more = [&] {
    return after.participants > before.participants || after.blocks > before.blocks;
  };
  while (more() && now_ns() < deadline) {
    sched_yield();
    after = swept_stats();
  }
  EXPECT_EQ(after.blocks, before.blocks);
  EXPECT_EQ(after.bytes, before.bytes);
  EXPECT_EQ(after.own_bytes, before.own_bytes);
  EXPECT_EQ(after.objects, before.objects);
  EXPECT_EQ(after.participants, before.participants);
}

}  // namespace mpc::test
