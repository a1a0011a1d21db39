// SPDX-License-Identifier: Apache-2.0
// What the victims of the campaign over system calls do: each starts processes and sees to their
// end, in another way.
#ifndef MPC_TESTS_KILL_CALL_VICTIMS_HPP
#define MPC_TESTS_KILL_CALL_VICTIMS_HPP

#include <cstdint>
#include <vector>

#include <mpc/mpc.h>

namespace kill_tests {

// What a victim tells; in memory that the driver sees too.
struct Told {
  int32_t exit_code;  // of its child
  uint32_t told;      // 1: it is
};

struct VictimWork {
  const char* name;
  // The whole life, but its end. `shared` is a block whose first word counts the children that have
  // begun.
  void (*live)(mpc_start_method method, const mpc_ref& shared, Told& told);
  uint32_t children;
  int32_t exit_code;  // of its child, where nobody is struck
};
const std::vector<VictimWork>& victim_works(mpc_start_method method);

}  // namespace kill_tests

#endif
