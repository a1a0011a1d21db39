// SPDX-License-Identifier: Apache-2.0
// Kills, and stops, every process that has a part in a start, at every system call that it makes in
// start, join, terminate and exit.
#ifndef MPC_TESTS_KILL_CALL_CAMPAIGN_HPP
#define MPC_TESTS_KILL_CALL_CAMPAIGN_HPP

#include <vector>

#include "campaign.hpp"

namespace kill_tests {

// One for each start method: "calls.fork" and so on.
std::vector<Operation> call_campaigns();

}  // namespace kill_tests

#endif
