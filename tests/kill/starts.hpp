// SPDX-License-Identifier: Apache-2.0
// What survivors do after a death: start processes and join them, under each start method.
#ifndef MPC_TESTS_KILL_STARTS_HPP
#define MPC_TESTS_KILL_STARTS_HPP

#include <cstdint>
#include <vector>

#include <mpc/mpc.h>

namespace kill_tests {

// Every one; under `program` see started.hpp.
std::vector<mpc_start_method> start_methods();
// MPC_START_DEFAULT where there is none of that name.
mpc_start_method start_method_named(const char* name);

// What they return.
inline constexpr int kReturned = 7;

// A program that never loads the library, and waits for its end; or looks at its limit, which is
// another one than here, and returns.
mpc_status create_stranger(bool waits, mpc_process_options options, mpc_process** out_process);

// In the driver. Each child takes memory and an object, and leaves the memory behind; of programs
// every other one is a stranger.
void start_and_join(mpc_start_method method, uint32_t times);

double now_ms();
void nap_ms(double milliseconds);

}  // namespace kill_tests

#endif
