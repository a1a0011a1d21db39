// SPDX-License-Identifier: Apache-2.0
// The key that processes have in common.
#include <stdio.h>
#include <string.h>

#include <string>

#include "support/start_method_test.hpp"

namespace mpc::test {
namespace {

class ProcessAuthkeyTest : public StartMethodTest {};
MPC_UNDER_EVERY_START_METHOD(ProcessAuthkeyTest);

// --- P09 -----------------------------------------------------------------------------------------

std::string authkey() {
  char key[MPC_AUTHKEY_MAX];
  size_t size = 0;
  EXPECT_EQ(mpc_authkey_get(key, sizeof key, &size), MPC_OK) << last_message();
  return {key, size};
}

int compare_authkey(const void* argument, size_t size, const mpc_ref*, size_t) {
  return authkey() == std::string(static_cast<const char*>(argument), size) ? 0 : 1;
}

mpc_process_options options_with_key(const std::string& key, mpc_start_method method) {
  mpc_process_options options = MPC_PROCESS_OPTIONS_INIT;
  options.start_method = method;
  options.argument = key.data();
  options.argument_size = key.size();
  return options;
}

TEST_P(ProcessAuthkeyTest, P09AChildHasItsParentsKey) {
  std::string key = authkey();
  EXPECT_EQ(key.size(), 32u);
  EXPECT_EQ(authkey(), key);
  EXPECT_EQ(exit_code_of(start(compare_authkey, options_with_key(key, GetParam()))), 0);
}

TEST_P(ProcessAuthkeyTest, P09AKeyThatWasSetReachesTheChildrenThatAreStartedFromThenOn) {
  std::string before = authkey();
  for (const std::string& key :
       {std::string("a word"), std::string("\0\1\2", 3), std::string(MPC_AUTHKEY_MAX, 'k')}) {
    ASSERT_EQ(mpc_authkey_set(key.data(), key.size()), MPC_OK);
    EXPECT_EQ(authkey(), key);
    EXPECT_EQ(exit_code_of(start(compare_authkey, options_with_key(key, GetParam()))), 0);
  }
  ASSERT_EQ(mpc_authkey_set(before.data(), before.size()), MPC_OK);
}

int set_authkey(const void*, size_t, const mpc_ref*, size_t) {
  return mpc_authkey_set("another", 7) == MPC_OK && authkey() == "another" ? 0 : 1;
}

TEST_P(ProcessAuthkeyTest, P09AKeyThatAChildSetsIsItsOwn) {
  std::string key = authkey();
  EXPECT_EQ(exit_code_of(start(set_authkey)), 0);
  EXPECT_EQ(authkey(), key);
}

int have_a_child_compare_authkey(const void* argument, size_t size, const mpc_ref*, size_t) {
  auto method = *static_cast<const mpc_start_method*>(argument);
  std::string key(static_cast<const char*>(argument) + sizeof method, size - sizeof method);
  mpc_process_options options = options_with_key(key, method);
  mpc_process* process = nullptr;
  int exit_code = -1;
  MUST(mpc_process_create(compare_authkey, &options, &process) == MPC_OK);
  MUST(mpc_process_start(process) == MPC_OK);
  MUST(mpc_process_join(process, MPC_FOREVER) == MPC_OK);
  MUST(mpc_process_exit_code(process, &exit_code) == MPC_OK);
  MUST(mpc_process_destroy(process) == MPC_OK);
  return exit_code;
}

TEST_P(ProcessAuthkeyTest, P09AGrandchildHasTheKeyToo) {
  mpc_start_method method = GetParam();
  std::string argument(reinterpret_cast<const char*>(&method), sizeof method);
  argument += authkey();
  EXPECT_EQ(exit_code_of(start(have_a_child_compare_authkey, options_with_key(argument, method))),
            0);
}

TEST_P(ProcessAuthkeyTest, P09AForkOfTheProgramsOwnHasTheKey) {
  std::string key = authkey();
  EXPECT_EQ(wait_for(fork_and([&] { return authkey() == key ? 0 : 1; })), 0);
}

MPC_PROGRAM(prints_its_authkey) {
  for (char byte : authkey()) printf("%02x", static_cast<unsigned char>(byte));
  return 0;
}

TEST(AuthkeyProgramTest, P09EachProgramMakesAKeyOfItsOwn) {
  std::string one = run_program("prints_its_authkey").output;
  std::string other = run_program("prints_its_authkey").output;
  EXPECT_EQ(one.size(), 64u);
  EXPECT_NE(one, other);
}

TEST(AuthkeyTest, P09RefusesASizeThatNoKeyHasAndABufferThatIsTooSmall) {
  std::string key = authkey();
  char bytes[MPC_AUTHKEY_MAX + 1] = "";
  size_t size = 77;
  EXPECT_EQ(mpc_authkey_set(bytes, 0), MPC_EINVAL);
  EXPECT_EQ(mpc_authkey_set(bytes, sizeof bytes), MPC_EINVAL);
  EXPECT_EQ(mpc_authkey_set(nullptr, 5), MPC_EINVAL);
  memset(bytes, 'x', sizeof bytes);
  EXPECT_EQ(mpc_authkey_get(bytes, key.size() - 1, &size), MPC_EINVAL);
  EXPECT_EQ(mpc_authkey_get(nullptr, 64, &size), MPC_EINVAL);
  EXPECT_EQ(mpc_authkey_get(bytes, sizeof bytes, nullptr), MPC_EINVAL);
  EXPECT_EQ(size, 77u);
  EXPECT_EQ(std::string(bytes, sizeof bytes), std::string(sizeof bytes, 'x'));
  EXPECT_EQ(authkey(), key);
}

}  // namespace
}  // namespace mpc::test
