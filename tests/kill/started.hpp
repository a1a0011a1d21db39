// SPDX-License-Identifier: Apache-2.0
// Functions that children run, under every start method alike. Under `program` it is a fresh run of
// this executable, whose main() hands over to run_started() at once.
#ifndef MPC_TESTS_KILL_STARTED_HPP
#define MPC_TESTS_KILL_STARTED_HPP

#include <mpc/mpc.h>

namespace kill_tests {

struct Started {
  // Names are unique in an executable, and live as long as it does. Static only.
  Started(const char* name, mpc_process_fn function);
  Started(const Started&) = delete;
  Started& operator=(const Started&) = delete;

  const char* name;
  mpc_process_fn function;
  const Started* next;
};

// `options` names the start method.
mpc_status create(const Started& started, mpc_process_options options, mpc_process** out_process);

// The exit code of the function that the arguments name; -1 where this is no such run.
int run_started(int argc, char** argv);

}  // namespace kill_tests

#endif
