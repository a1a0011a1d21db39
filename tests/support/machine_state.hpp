// SPDX-License-Identifier: Apache-2.0
// What a test may leave behind on the machine, and whether it did.
#ifndef MPC_TESTS_SUPPORT_MACHINE_STATE_HPP
#define MPC_TESTS_SUPPORT_MACHINE_STATE_HPP

#include <map>
#include <set>
#include <string>

namespace mpc::test {

struct MachineState {
  std::map<int, std::string> descriptors;  // of this process, and what they are open on
  std::set<std::string> shared_memory;     // names in /dev/shm
  static MachineState now();
};

// Adds a failure for each thing that is there now and was not before, or is gone, and for a child
// of this process that was not reaped.
void expect_nothing_left(const MachineState& before);

}  // namespace mpc::test

#endif
