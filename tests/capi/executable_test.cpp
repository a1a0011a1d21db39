// SPDX-License-Identifier: Apache-2.0
// Which executable a fresh image is of: the program's own, another one that is chosen, and the
// program's own where it did not load the library by itself.
#include <dlfcn.h>
#include <string.h>
#include <unistd.h>

#include "program_test.hpp"

// Of this program; other_image.c has another of the name.
extern "C" int known_to_both(const void*, size_t, const mpc_ref*, size_t) { return 11; }
MPC_REGISTER_FUNCTION(known_to_both);

namespace mpc::test {
namespace {

class ExecutableTest : public StartMethodTest {
 protected:
  void SetUp() override {
    // There is a fork server for each image; what they take for good is not counted.
    ASSERT_EQ(mpc_executable_set(MPC_TEST_OTHER_IMAGE), MPC_OK);
    ASSERT_EQ(exit_code_of(start(known_to_both)), is_fresh() ? 22 : 11);
    ASSERT_EQ(mpc_executable_set(nullptr), MPC_OK);
    StartMethodTest::SetUp();
  }
  void TearDown() override {
    EXPECT_EQ(mpc_executable_set(nullptr), MPC_OK);
    StartMethodTest::TearDown();
  }
  static bool is_fresh() { return GetParam() != MPC_START_FORK; }
  // The exit code, or why there is none.
  int code_of(mpc_process_fn function) {
    mpc_process* process = make(function, process_options());
    mpc_status status = mpc_process_start(process);
    return status == MPC_OK ? exit_code_of(process) : status;
  }
};
MPC_UNDER_EVERY_START_METHOD(ExecutableTest);

std::string executable() {
  char path[4096] = "";
  size_t length = mpc_executable_get(path, sizeof path);
  EXPECT_EQ(length, strlen(path));
  return path;
}

int return_one(const void*, size_t, const mpc_ref*, size_t) { return 1; }

TEST_P(ExecutableTest, M16ARegisteredFunctionIsTheExecutablesOwn) {
  EXPECT_EQ(code_of(known_to_both), 11);
  ASSERT_EQ(mpc_executable_set(MPC_TEST_OTHER_IMAGE), MPC_OK) << last_message();
  EXPECT_EQ(executable(), MPC_TEST_OTHER_IMAGE);
  EXPECT_EQ(code_of(known_to_both), is_fresh() ? 22 : 11);
  ASSERT_EQ(mpc_executable_set(nullptr), MPC_OK);
  EXPECT_EQ(executable(), "");
  EXPECT_EQ(code_of(known_to_both), 11);
}

TEST_P(ExecutableTest, M16AFunctionOfALibraryIsFoundThere) {
  void* library = dlopen(MPC_TEST_LATE_LIBRARY, RTLD_NOW);
  auto late = reinterpret_cast<mpc_process_fn>(dlsym(library, "late_process"));
  ASSERT_EQ(mpc_executable_set(MPC_TEST_OTHER_IMAGE), MPC_OK);
  EXPECT_EQ(code_of(late), 0) << "1: in mpc-worker";
}

TEST_P(ExecutableTest, M16AFunctionOfTheProgramAloneIsAnError) {
  ASSERT_EQ(mpc_executable_set(MPC_TEST_OTHER_IMAGE), MPC_OK);
  EXPECT_EQ(code_of(return_one), is_fresh() ? 255 : 1);
}

TEST_P(ExecutableTest, M16OneThatDoesNotLoadTheLibraryIsAnError) {
  ASSERT_EQ(mpc_executable_set("/bin/true"), MPC_OK);
  int code = code_of(return_one);
  switch (GetParam()) {
    case MPC_START_FORK:
      EXPECT_EQ(code, 1);
      break;
    case MPC_START_SPAWN:
      EXPECT_EQ(code, 255);
      break;
    default:
      EXPECT_EQ(code, MPC_ESYSTEM) << "there is no server";
  }
}

TEST_P(ExecutableTest, M16WhatCannotBeExecutedIsRefused) {
  ASSERT_EQ(mpc_executable_set(MPC_TEST_OTHER_IMAGE), MPC_OK);
  EXPECT_EQ(mpc_executable_set("/no/such/file"), MPC_ESYSTEM);
  EXPECT_NE(last_message().find("/no/such/file"), std::string::npos);
  EXPECT_EQ(mpc_executable_set(""), MPC_EINVAL);
  EXPECT_EQ(executable(), MPC_TEST_OTHER_IMAGE) << "as before";
}

TEST_P(ExecutableTest, M16ARelativePathIsOfTheFolderOfNow) {
  std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::path other = MPC_TEST_OTHER_IMAGE;
  std::filesystem::current_path(other.parent_path());
  EXPECT_EQ(mpc_executable_set(other.filename().c_str()), MPC_OK) << last_message();
  std::filesystem::current_path(before);
  EXPECT_EQ(executable(), other);
}

// --- a host that loads the library while it runs -------------------------------------------------

Said late_host(const char* preload) {
  const char* arguments[] = {MPC_TEST_LIBRARY, nullptr};
  const char* environment[] = {preload, nullptr};
  mpc_process_options options = MPC_PROCESS_OPTIONS_INIT;
  options.program = MPC_TEST_LATE_HOST;
  options.arguments = arguments;
  options.environment = environment;
  options.standard_output = stream_to(MPC_STDIO_PIPE);
  mpc_process* process = nullptr;
  int output = -1;
  EXPECT_EQ(mpc_process_create(nullptr, &options, &process), MPC_OK) << last_message();
  EXPECT_EQ(mpc_process_start(process), MPC_OK) << last_message();
  EXPECT_EQ(mpc_process_pipe(process, 1, &output), MPC_OK) << last_message();
  std::string text = read_all(output);
  int exit_code = exit_code_of(process);
  EXPECT_EQ(mpc_process_destroy(process), MPC_OK);
  return {exit_code, text};
}

#ifdef MPC_TEST_SANITIZED
TEST(LateHostTest, M12ThatASanitizerForbidsFreshImagesOfItIsAnError) {
  Said said = late_host(nullptr);
  EXPECT_EQ(said.exit_code, 1);
  EXPECT_NE(said.text.find("has a sanitizer"), std::string::npos) << said;
}
#else
TEST(LateHostTest, M12ItsOwnFunctionsRunInFreshImagesOfIt) {
  EXPECT_EQ(late_host(nullptr), (Said{0, "forkserver 4\nspawn 4\nfork 4\n"}));
}

TEST(LateHostTest, M12ItsLdPreloadIsAsItWasWhenTheyRun) {
  EXPECT_EQ(late_host("LD_PRELOAD=libm.so.6"), (Said{0, "forkserver 5\nspawn 5\nfork 5\n"}));
}
#endif

}  // namespace
}  // namespace mpc::test
