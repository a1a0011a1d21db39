// SPDX-License-Identifier: Apache-2.0
// Kills, and stops, a process that the library starts, behind each of its system calls from its
// birth to its end.
#ifndef MPC_TESTS_KILL_CHILD_CAMPAIGN_HPP
#define MPC_TESTS_KILL_CHILD_CAMPAIGN_HPP

#include "campaign.hpp"

namespace kill_tests {

Operation child_campaign();

}  // namespace kill_tests

#endif
