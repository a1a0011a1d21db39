// SPDX-License-Identifier: Apache-2.0
// The base of every test that starts processes: it runs under each start method there is, and looks
// afterwards whether anything was left behind.
#ifndef MPC_TESTS_SUPPORT_START_METHOD_TEST_HPP
#define MPC_TESTS_SUPPORT_START_METHOD_TEST_HPP

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include <mpc/mpc.h>

#include "support/group_page.hpp"
#include "support/group_state.hpp"
#include "support/machine_state.hpp"
#include "support/program.hpp"
#include "support/wait.hpp"

namespace mpc::test {

// Every start method of this system, the default first.
std::vector<mpc_start_method> start_methods();
std::string start_method_label(const testing::TestParamInfo<mpc_start_method>& info);

#define MPC_UNDER_EVERY_START_METHOD(suite)                                 \
  INSTANTIATE_TEST_SUITE_P(AllStartMethods, suite,                          \
                           testing::ValuesIn(::mpc::test::start_methods()), \
                           ::mpc::test::start_method_label)

class StartMethodTest : public testing::TestWithParam<mpc_start_method> {
 protected:
  void SetUp() override;
  void TearDown() override;

  mpc_process_options process_options() const;
  mpc_pool_options pool_options(uint32_t workers) const;

  // A process that is taken back at the end of the test, ended first where it still runs.
  mpc_process* make(mpc_process_fn function, const mpc_process_options& options);
  mpc_process* start(mpc_process_fn function, const mpc_process_options& options);
  mpc_process* start(mpc_process_fn function);
  template <class T>
  mpc_process* start(mpc_process_fn function, const T& argument) {
    mpc_process_options options = process_options();
    options.argument = &argument;
    options.argument_size = sizeof argument;
    return start(function, options);
  }

  // A pool that is taken back at the end of the test.
  mpc_pool* make_pool(uint32_t workers);

 private:
  MachineState machine_;
  mpc_group_stats stats_ = MPC_GROUP_STATS_INIT;
  std::vector<mpc_process*> processes_;
  std::vector<mpc_pool*> pools_;
};

// Runs a program of which this start method is the default.
Ended run_program_under(mpc_start_method method, const char* name, const Arguments& arguments = {});

// The base of tests of whole programs that start processes: each start method is the default of the
// program in turn.
class ProgramTest : public testing::TestWithParam<mpc_start_method> {
 protected:
  static Ended run_program(const char* name, const Arguments& arguments = {}) {
    return run_program_under(GetParam(), name, arguments);
  }
};

// The fork server of this tree of processes, which stays for good, whoever in it needs one first.
void make_fork_server();

int32_t pid_of(mpc_process* process);
// Joins; the exit code.
int exit_code_of(mpc_process* process);

// The argument of a process function, copied from its bytes.
template <class T>
T argument_as(const void* argument) {
  return *static_cast<const T*>(argument);
}

}  // namespace mpc::test

#endif
