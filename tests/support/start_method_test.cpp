// SPDX-License-Identifier: Apache-2.0
#include "support/start_method_test.hpp"

#include <signal.h>

namespace mpc::test {

std::vector<mpc_start_method> start_methods() {
  std::vector<mpc_start_method> methods(mpc_start_method_list(nullptr, 0));
  mpc_start_method_list(methods.data(), methods.size());
  return methods;
}

std::string start_method_label(const testing::TestParamInfo<mpc_start_method>& info) {
  return mpc_start_method_name(info.param);
}

// A program in front of a program: what it is named after is called once the default is chosen.
MPC_PROGRAM(under_start_method) {
  auto method = static_cast<mpc_start_method>(std::stoi(arguments.at(0)));
  MUST(mpc_start_method_set(method, 0) == MPC_OK);
  return call_program(arguments.at(1), Arguments(arguments.begin() + 2, arguments.end()));
}

Ended run_program_under(mpc_start_method method, const char* name, const Arguments& arguments) {
  Arguments all = {std::to_string(method), name};
  all.insert(all.end(), arguments.begin(), arguments.end());
  return run_program("under_start_method", all);
}

void make_fork_server() {
  mpc_process_options options = MPC_PROCESS_OPTIONS_INIT;
  options.start_method = MPC_START_FORKSERVER;
  mpc_process* process = nullptr;
  ASSERT_EQ(mpc_process_create(nullptr, &options, &process), MPC_OK) << last_message();
  ASSERT_EQ(mpc_process_start(process), MPC_OK) << last_message();
  EXPECT_EQ(exit_code_of(process), 0);
  EXPECT_EQ(mpc_process_destroy(process), MPC_OK);
}

void StartMethodTest::SetUp() {
  // What the first use takes for good is not counted: the group's memory, and what starts need.
  ASSERT_EQ(exit_code_of(start(nullptr)), 0);
  make_fork_server();
  machine_ = MachineState::now();
  stats_ = swept_stats();
}

void StartMethodTest::TearDown() {
  for (mpc_pool* pool : pools_) (void)mpc_pool_destroy(pool);
  for (mpc_process* process : processes_) {
    if (mpc_process_kill(process) == MPC_OK) (void)mpc_process_join(process, MPC_FOREVER);
    (void)mpc_process_destroy(process);
  }
  expect_group_as_before(stats_);
  expect_nothing_left(machine_);
}

mpc_process_options StartMethodTest::process_options() const {
  mpc_process_options options = MPC_PROCESS_OPTIONS_INIT;
  options.start_method = GetParam();
  return options;
}

mpc_pool_options StartMethodTest::pool_options(uint32_t workers) const {
  mpc_pool_options options = MPC_POOL_OPTIONS_INIT;
  options.workers = workers;
  options.start_method = GetParam();
  return options;
}

mpc_process* StartMethodTest::make(mpc_process_fn function, const mpc_process_options& options) {
  mpc_process* process = nullptr;
  EXPECT_EQ(mpc_process_create(function, &options, &process), MPC_OK) << last_message();
  processes_.push_back(process);
  return process;
}

mpc_process* StartMethodTest::start(mpc_process_fn function, const mpc_process_options& options) {
  mpc_process* process = make(function, options);
  EXPECT_EQ(mpc_process_start(process), MPC_OK) << last_message();
  return process;
}

mpc_process* StartMethodTest::start(mpc_process_fn function) {
  return start(function, process_options());
}

mpc_pool* StartMethodTest::make_pool(uint32_t workers) {
  mpc_pool_options options = pool_options(workers);
  mpc_pool* pool = nullptr;
  EXPECT_EQ(mpc_pool_create(&options, &pool), MPC_OK) << last_message();
  pools_.push_back(pool);
  return pool;
}

int32_t pid_of(mpc_process* process) {
  int32_t pid = 0;
  EXPECT_EQ(mpc_process_pid(process, &pid), MPC_OK) << last_message();
  return pid;
}

int exit_code_of(mpc_process* process) {
  int exit_code = -1000;
  EXPECT_EQ(mpc_process_join(process, MPC_FOREVER), MPC_OK) << last_message();
  EXPECT_EQ(mpc_process_exit_code(process, &exit_code), MPC_OK) << last_message();
  return exit_code;
}

}  // namespace mpc::test
