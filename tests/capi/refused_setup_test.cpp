// SPDX-License-Identifier: Apache-2.0
// What cannot be chosen for a child is refused when the process is made.
#include <sys/resource.h>

#include "process_setup_test.hpp"

namespace mpc::test {
namespace {

class RefusedSetupTest : public testing::Test {
 protected:
  void expect_refused(const mpc_process_options& options, const char* word) {
    mpc_process* process = nullptr;
    EXPECT_EQ(mpc_process_create(nullptr, &options, &process), MPC_EINVAL);
    EXPECT_EQ(process, nullptr);
    EXPECT_NE(last_message().find(word), std::string::npos) << last_message();
  }
  mpc_process_options options = MPC_PROCESS_OPTIONS_INIT;
};

TEST_F(RefusedSetupTest, AFolderWithoutAName) {
  options.working_directory = "";
  expect_refused(options, "working_directory");
}

TEST_F(RefusedSetupTest, AnEnvironmentThatHasNoNames) {
  for (const char* wrong : {"NAME", "=value", ""}) {
    const char* entries[] = {"GOOD=1", wrong, nullptr};
    options.environment = entries;
    expect_refused(options, "environment[1]");
  }
}

TEST_F(RefusedSetupTest, AStreamOfNoKind) {
  options.standard_error.kind = 7;
  expect_refused(options, "standard_error");
}

TEST_F(RefusedSetupTest, AppendingToTheInput) {
  options.standard_input = stream_of(MPC_STDIO_APPEND, "file");
  expect_refused(options, "standard_input");
}

TEST_F(RefusedSetupTest, AFileWithoutAPathAndAPathWithoutAFile) {
  options.standard_output = stream_of(MPC_STDIO_FILE);
  expect_refused(options, "path");
  options.standard_output = stream_of(MPC_STDIO_NULL, "file");
  expect_refused(options, "path");
}

TEST_F(RefusedSetupTest, DescriptorsThatAreNotOpen) {
  options.standard_output = stream_of(987654);
  expect_refused(options, "987654");
  options.standard_output = stream_of(-1);
  expect_refused(options, "-1");
  options.standard_output = mpc_stdio{};
  mpc_descriptor descriptor = {987654, 20};
  options.descriptors = &descriptor;
  options.descriptor_count = 1;
  expect_refused(options, "descriptors[0]");
}

TEST_F(RefusedSetupTest, ADescriptorWithoutItsKind) {
  options.standard_input.descriptor = 5;
  expect_refused(options, "MPC_STDIO_DESCRIPTOR");
}

TEST_F(RefusedSetupTest, NumbersOfStandardStreamsAndNumbersGivenTwice) {
  mpc_descriptor descriptors[] = {{1, 20}, {1, 2}};
  options.descriptors = descriptors;
  options.descriptor_count = 2;
  expect_refused(options, "standard_input");
  descriptors[1].child = 20;
  expect_refused(options, "descriptors[1]");
}

TEST_F(RefusedSetupTest, AProcessGroupOfNoKind) {
  options.process_group = 3;
  expect_refused(options, "process_group");
}

TEST_F(RefusedSetupTest, LimitsThatCannotBe) {
  mpc_limit limits[] = {{RLIMIT_CORE, 0, 1, 1}, {99, 0, 1, 1}};
  options.limits = limits;
  options.limit_count = 2;
  expect_refused(options, "resource 99");
  limits[1] = {RLIMIT_NOFILE, 0, 2, 1};
  expect_refused(options, "limits[1]");
  limits[1] = {RLIMIT_CORE, 0, 1, 1};
  expect_refused(options, "limits[1]");
}

TEST_F(RefusedSetupTest, ACpuThatNoMachineHas) {
  uint32_t cpus[] = {0, 70000};
  options.cpus = cpus;
  options.cpu_count = 2;
  expect_refused(options, "cpus[1]");
}

TEST_F(RefusedSetupTest, ArraysThatAreNull) {
  options.limit_count = 1;
  expect_refused(options, "limits");
  options.limit_count = 0;
  options.cpu_count = 1;
  expect_refused(options, "cpus");
  options.cpu_count = 0;
  options.descriptor_count = 1;
  expect_refused(options, "descriptors");
}

}  // namespace
}  // namespace mpc::test
