// SPDX-License-Identifier: Apache-2.0
// What the tests of programs share.
#ifndef MPC_TESTS_CAPI_PROGRAM_TEST_HPP
#define MPC_TESTS_CAPI_PROGRAM_TEST_HPP

#include <string>
#include <vector>

#include "process_setup_test.hpp"

namespace mpc::test {

// joining_program.c
inline constexpr const char* kJoining = MPC_TEST_JOINING_PROGRAM;

inline mpc_stdio stream_to(mpc_stdio_kind kind) {
  return mpc_stdio{static_cast<uint32_t>(kind), 0, nullptr};
}

// What a program says and how it ends.
struct Said {
  int exit_code;
  std::string text;
  bool operator==(const Said&) const = default;
};
inline std::ostream& operator<<(std::ostream& stream, const Said& said) {
  return stream << said.exit_code << " \"" << said.text << '"';
}

class ProgramStartTest : public testing::Test {
 protected:
  void SetUp() override {
    // What the first start takes for good is not counted.
    ASSERT_EQ(run("true"), (Said{0, ""}));
    make_fork_server();
    take_stock();
  }
  void TearDown() override {
    expect_group_as_before(stats_);
    expect_nothing_left(machine_);
  }

  // What there is now is to be there at the end.
  void take_stock() {
    machine_ = MachineState::now();
    stats_ = swept_stats();
  }

  static mpc_process* make(const char* path, std::vector<const char*> arguments,
                           mpc_process_options options = MPC_PROCESS_OPTIONS_INIT) {
    arguments.push_back(nullptr);
    options.program = path;
    options.arguments = arguments.data();
    mpc_process* process = nullptr;
    EXPECT_EQ(mpc_process_create(nullptr, &options, &process), MPC_OK) << last_message();
    return process;
  }
  static mpc_process* start(const char* path, std::vector<const char*> arguments,
                            const mpc_process_options& options = MPC_PROCESS_OPTIONS_INIT) {
    mpc_process* process = make(path, std::move(arguments), options);
    EXPECT_EQ(mpc_process_start(process), MPC_OK) << last_message();
    return process;
  }
  static int end_of(mpc_process* process) {
    int exit_code = exit_code_of(process);
    EXPECT_EQ(mpc_process_destroy(process), MPC_OK);
    return exit_code;
  }
  static Said run(const char* path, std::vector<const char*> arguments = {},
                  mpc_process_options options = MPC_PROCESS_OPTIONS_INIT) {
    options.standard_output = stream_to(MPC_STDIO_PIPE);
    mpc_process* process = start(path, std::move(arguments), options);
    int output = -1;
    EXPECT_EQ(mpc_process_pipe(process, 1, &output), MPC_OK) << last_message();
    std::string text = read_all(output);
    return Said{end_of(process), text};
  }
  // Starts one that cannot be started.
  static mpc_status refused(mpc_process* process) {
    mpc_status status = mpc_process_start(process);
    EXPECT_EQ(mpc_process_destroy(process), MPC_OK);
    return status;
  }

 private:
  MachineState machine_;
  mpc_group_stats stats_ = MPC_GROUP_STATS_INIT;
};

}  // namespace mpc::test

#endif
