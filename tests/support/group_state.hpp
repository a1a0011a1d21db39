// SPDX-License-Identifier: Apache-2.0
// What a test may leave behind in its group.
#ifndef MPC_TESTS_SUPPORT_GROUP_STATE_HPP
#define MPC_TESTS_SUPPORT_GROUP_STATE_HPP

#include <mpc/mpc.h>

namespace mpc::test {

// The group's figures, after the dead were swept.
mpc_group_stats swept_stats();

// Adds a failure for blocks, objects and participants that are there now and were not before.
void expect_group_as_before(const mpc_group_stats& before);

}  // namespace mpc::test

#endif
