// SPDX-License-Identifier: Apache-2.0
// A child that waits in the middle of its function until it is let on.
#ifndef MPC_TESTS_HOSTS_GATE_HPP
#define MPC_TESTS_HOSTS_GATE_HPP

#include <mpc/process.h>

#include "support/group_page.hpp"
#include "support/start_method_test.hpp"

namespace mpc::test {

// In group memory.
struct Gate {
  Count inside;
  Count open;
};

inline constexpr int kThroughTheGate = 9;

// Its argument is a Gate*.
inline int waits_at_the_gate(const void* argument, size_t, const mpc_ref*, size_t) {
  Gate* gate = argument_as<Gate*>(argument);
  gate->inside.add();
  return gate->open.reaches(1) ? kThroughTheGate : 1;
}

}  // namespace mpc::test

#endif
