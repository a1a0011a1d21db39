// SPDX-License-Identifier: Apache-2.0
// Which ways of starting there are, and which is the default. What a program chooses holds for its
// whole life, so each of these is a program.
#include <gtest/gtest.h>
#include <sched.h>

#include <mpc/mpc.h>

#include "support/start_method_test.hpp"

namespace mpc::test {
namespace {

TEST(StartMethodListTest, M06NamesEveryMethodAndTheDefaultFirst) {
  std::vector<mpc_start_method> methods = start_methods();
  ASSERT_FALSE(methods.empty());
  for (mpc_start_method method : methods) {
    ASSERT_NE(mpc_start_method_name(method), nullptr);
    EXPECT_STRNE(mpc_start_method_name(method), "");
  }
  EXPECT_EQ(run_program("says_the_default").output, mpc_start_method_name(methods.front()));
}

TEST(StartMethodListTest, M10TheDefaultIsForkserverAsInPython) {
  EXPECT_EQ(start_methods().front(), MPC_START_FORKSERVER);
  EXPECT_EQ(run_program("says_the_default").output, "forkserver");
}

TEST(StartMethodListTest, M06WritesNoMoreThanThereIsRoomFor) {
  mpc_start_method methods[2] = {MPC_START_DEFAULT, MPC_START_DEFAULT};
  size_t count = mpc_start_method_list(methods, 1);
  EXPECT_EQ(count, start_methods().size());
  EXPECT_EQ(methods[1], MPC_START_DEFAULT);
  EXPECT_EQ(mpc_start_method_list(nullptr, 0), count);
}

TEST(StartMethodListTest, M06GivesNoNameToANumberThatIsNoMethod) {
  EXPECT_EQ(mpc_start_method_name(MPC_START_DEFAULT), nullptr);
  EXPECT_EQ(mpc_start_method_name(static_cast<mpc_start_method>(77)), nullptr);
  EXPECT_STREQ(mpc_start_method_name(MPC_START_FORK), "fork");
}

mpc_start_method asked(int allow_none) {
  auto method = static_cast<mpc_start_method>(-1);
  MUST(mpc_start_method_get(allow_none, &method) == MPC_OK);
  return method;
}

MPC_PROGRAM(says_the_default) {
  printf("%s", mpc_start_method_name(asked(0)));
  return 0;
}

MPC_PROGRAM(asks_without_choosing) {
  MUST(asked(1) == MPC_START_DEFAULT);
  MUST(asked(1) == MPC_START_DEFAULT);
  MUST(mpc_start_method_set(MPC_START_FORK, 0) == MPC_OK);
  MUST(asked(1) == MPC_START_FORK);
  return 0;
}

TEST(StartMethodGetTest, M07LeavesTheChoiceOpenWhereNoneIsAllowed) {
  EXPECT_EQ(run_program("asks_without_choosing"), 0);
}

MPC_PROGRAM(asks_and_so_chooses) {
  mpc_start_method method = asked(0);
  MUST(asked(1) == method);
  MUST(mpc_start_method_set(MPC_START_FORK, 0) == MPC_ESTATE);
  MUST(last_message().find(mpc_start_method_name(method)) != std::string::npos);
  return 0;
}

TEST(StartMethodGetTest, M07ChoosesTheDefaultForGood) {
  EXPECT_EQ(run_program("asks_and_so_chooses"), 0);
}

MPC_PROGRAM(starts_and_so_chooses) {
  mpc_process* process;
  MUST(mpc_process_create(nullptr, nullptr, &process) == MPC_OK);
  MUST(asked(1) != MPC_START_DEFAULT);
  MUST(mpc_process_destroy(process) == MPC_OK);
  return 0;
}

TEST(StartMethodGetTest, M07IsChosenByTheFirstProcessThatLeavesItOpen) {
  EXPECT_EQ(run_program("starts_and_so_chooses"), 0);
}

MPC_PROGRAM(chooses_twice) {
  MUST(mpc_start_method_set(MPC_START_FORK, 0) == MPC_OK);
  MUST(mpc_start_method_set(MPC_START_FORK, 0) == MPC_ESTATE);
  MUST(last_message().find("force") != std::string::npos);
  return 0;
}

TEST(StartMethodSetTest, M08RefusesASecondChoice) { EXPECT_EQ(run_program("chooses_twice"), 0); }

MPC_PROGRAM(chooses_by_force) {
  MUST(mpc_start_method_set(MPC_START_FORK, 0) == MPC_OK);
  MUST(mpc_start_method_set(MPC_START_FORK, 1) == MPC_OK);
  MUST(mpc_start_method_set(MPC_START_DEFAULT, 1) == MPC_OK);
  MUST(asked(1) == MPC_START_DEFAULT);
  MUST(mpc_start_method_set(MPC_START_FORK, 0) == MPC_OK);
  return 0;
}

TEST(StartMethodSetTest, M08ForceChoosesAnewAndTakesTheChoiceBack) {
  EXPECT_EQ(run_program("chooses_by_force"), 0);
}

MPC_PROGRAM(chooses_what_there_is_not) {
  MUST(mpc_start_method_set(static_cast<mpc_start_method>(77), 0) == MPC_EINVAL);
  MUST(mpc_start_method_set(static_cast<mpc_start_method>(77), 1) == MPC_EINVAL);
  MUST(mpc_start_method_set(MPC_START_DEFAULT, 0) == MPC_EINVAL);
  MUST(asked(1) == MPC_START_DEFAULT);
  return 0;
}

TEST(StartMethodSetTest, M08RefusesAMethodThatThereIsNot) {
  EXPECT_EQ(run_program("chooses_what_there_is_not"), 0);
}

int default_of_the_child(const void*, size_t, const mpc_ref*, size_t) {
  return static_cast<int>(asked(1));
}

MPC_PROGRAM(has_a_child_ask) {
  for (mpc_start_method method : start_methods()) {
    mpc_process* process;
    int exit_code;
    MUST(mpc_start_method_set(method, 1) == MPC_OK);
    MUST(mpc_process_create(default_of_the_child, nullptr, &process) == MPC_OK);
    MUST(mpc_process_start(process) == MPC_OK);
    MUST(mpc_process_join(process, MPC_FOREVER) == MPC_OK);
    MUST(mpc_process_exit_code(process, &exit_code) == MPC_OK);
    MUST(exit_code == method);
  }
  return 0;
}

TEST(StartMethodSetTest, M08TheChoiceHoldsInChildren) {
  EXPECT_EQ(run_program("has_a_child_ask"), 0);
}

MPC_PROGRAM(counts_its_cpus) {
  cpu_set_t allowed;
  MUST(sched_getaffinity(0, sizeof allowed, &allowed) == 0);
  uint32_t before = mpc_process_cpu_count();
  MUST(before >= 1 && before <= static_cast<uint32_t>(CPU_COUNT(&allowed)));
  int first = 0;
  while (!CPU_ISSET(first, &allowed)) ++first;
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(first, &one);
  MUST(sched_setaffinity(0, sizeof one, &one) == 0);
  MUST(mpc_process_cpu_count() == 1);
  return 0;
}

TEST(CpuCountTest, M01IsWhatThisProcessMayUse) { EXPECT_EQ(run_program("counts_its_cpus"), 0); }

}  // namespace
}  // namespace mpc::test
