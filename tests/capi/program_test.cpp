// SPDX-License-Identifier: Apache-2.0
// The start method `program`: executables that join their parent's group.
#include "program_test.hpp"

#include <signal.h>

#include "support/subreaper.hpp"

namespace mpc::test {
namespace {

// --- one that joins ------------------------------------------------------------------------------

TEST_F(ProgramStartTest, HasItsArgumentAndItsRefs) {
  mpc_block* block;
  mpc_ref ref;
  ASSERT_EQ(mpc_block_create(16, &block), MPC_OK);
  ASSERT_EQ(mpc_block_ref(block, &ref), MPC_OK);
  mpc_process_options options = MPC_PROCESS_OPTIONS_INIT;
  options.argument = "to the block";
  options.argument_size = 13;
  options.refs = &ref;
  options.ref_count = 1;
  EXPECT_EQ(run(kJoining, {"fill"}, options), (Said{7, ""}));
  EXPECT_STREQ(static_cast<char*>(mpc_block_address(block)), "to the block");
  EXPECT_EQ(mpc_block_detach(block), MPC_OK);
}

TEST_F(ProgramStartTest, KnowsWhatAnyChildKnows) {
  unsigned char key[MPC_AUTHKEY_MAX];
  size_t size;
  ASSERT_EQ(mpc_authkey_get(key, sizeof key, &size), MPC_OK);
  std::string hex;
  for (size_t i = 0; i < size; ++i) {
    char two[4];
    snprintf(two, sizeof two, " %02x", key[i]);
    hex += two;
  }
  mpc_process_options options = MPC_PROCESS_OPTIONS_INIT;
  options.name = "worker";
  options.daemon = 1;
  std::string parent = std::to_string(getpid());
  EXPECT_EQ(
      run(kJoining, {"tell_who"}, options),
      (Said{0, "worker of MainProcess " + parent + " alive, a daemon by default, key" + hex}));
}

TEST_F(ProgramStartTest, IsTheProcessThatItsHandleTells) {
  mpc_process* process = make(kJoining, {"tell_who"});
  char text[200];
  ASSERT_EQ(mpc_process_describe(process, text, sizeof text), MPC_OK);
  EXPECT_NE(std::string(text).find("initial"), std::string::npos) << text;
  EXPECT_EQ(mpc_process_destroy(process), MPC_OK);
}

TEST_F(ProgramStartTest, PassesNothingOnToWhatItStartsItself) {
  EXPECT_EQ(run(kJoining, {"tell_inherited"}), (Said{0, "clean"}));
}

TEST_F(ProgramStartTest, PassesOnWhatItWasGiven) {
  int fd = dup(STDOUT_FILENO);
  mpc_descriptor given = {fd, 9};
  mpc_process_options options = MPC_PROCESS_OPTIONS_INIT;
  options.descriptors = &given;
  options.descriptor_count = 1;
  EXPECT_EQ(run(kJoining, {"tell_inherited"}, options), (Said{0, "9 clean"}));
  close(fd);
}

TEST_F(ProgramStartTest, StartsFunctionsUnderEveryMethod) {
  EXPECT_EQ(run(kJoining, {"start_under_every_method"}), (Said{5, ""}));
  // The fork server of its image stays for this tree.
  take_stock();
  EXPECT_EQ(run(kJoining, {"start_under_every_method"}), (Said{5, ""}));
}

TEST_F(ProgramStartTest, StartsPrograms) {
  EXPECT_EQ(run(kJoining, {"start_program"}), (Said{17, ""}));
}

TEST_F(ProgramStartTest, P18LooksAfterItsChildrenWhenItReturns) {
  EXPECT_EQ(run(kJoining, {"leave_in_order"}), (Said{21, "atexit first last "}));
}

TEST_F(ProgramStartTest, WhatItForksIsAParticipantAndWasNotGivenItsArgument) {
  Said said = run(kJoining, {"fork_and_tell"});
  EXPECT_EQ(said.exit_code, 9);
  EXPECT_EQ(said.text.substr(0, 11), "MPC_ESTATE ") << said.text;
}

TEST_F(ProgramStartTest, WhatItStartsByItselfIsNoMemberAndIsToldSo) {
  Said said = run(kJoining, {"start_in_vain"});
  EXPECT_EQ(said.exit_code, 1);
  EXPECT_EQ(said.text.substr(0, 11), "MPC_ESTATE ") << said.text;
}

TEST_F(ProgramStartTest, AShellThatExecsItHandsItsPlaceOn) {
  EXPECT_EQ(run("sh", {"-c", "exec \"$0\" tell_status", kJoining}), (Said{0, "MPC_OK "}));
}

TEST_F(ProgramStartTest, AShellThatGoesOnKeepsItsPlaceAndTheReasonIsTold) {
  Said said = run("sh", {"-c", "\"$0\" tell_status; exit 3", kJoining});
  EXPECT_EQ(said.exit_code, 3);
  EXPECT_NE(said.text.find("exec"), std::string::npos) << said.text;
}

TEST_F(ProgramStartTest, ADetachedShellThatGoesOnKeepsItsPlaceAsWell) {
  mpc_process_options options = MPC_PROCESS_OPTIONS_INIT;
  options.detach = 1;
  Said said = run("sh", {"-c", "\"$0\" tell_status; exit 3", kJoining}, options);
  EXPECT_EQ(said.exit_code, 3);
  EXPECT_NE(said.text.find("exec"), std::string::npos) << said.text;
  EXPECT_EQ(run(kJoining, {"tell_status"}, options), (Said{0, "MPC_OK "}));
}

TEST_F(ProgramStartTest, MayLeaveTheGroup) { EXPECT_EQ(run(kJoining, {"leave"}), (Said{8, ""})); }

TEST_F(ProgramStartTest, OneThatClosedItsDescriptorsIsToldSo) {
  Said said = run("sh", {"-c", "exec 3>&- 4>&- 5>&-; exec \"$0\" tell_status", kJoining});
  EXPECT_EQ(said.exit_code, 1);
  EXPECT_NE(said.text.find("closed"), std::string::npos) << said.text;
}

MPC_PROGRAM(is_no_program_of_a_group) {
  MUST(mpc_program_begin(nullptr, nullptr, nullptr, nullptr) == MPC_ESTATE);
  MUST(last_message().find("program") != std::string::npos);
  MUST(mpc_group_join() == MPC_OK);
  MUST(mpc_program_begin(nullptr, nullptr, nullptr, nullptr) == MPC_ESTATE);
  return 0;
}

TEST_F(ProgramStartTest, WhoWasNotStartedAsOneIsToldSo) {
  EXPECT_EQ(run_program("is_no_program_of_a_group"), 0);
}

// The default of the parent holds in it as well.
MPC_PROGRAM(chooses_a_default_and_starts_a_program) {
  MUST(mpc_start_method_set(MPC_START_SPAWN, 0) == MPC_OK);
  const char* program_arguments[] = {"tell_who", nullptr};
  mpc_process_options options = MPC_PROCESS_OPTIONS_INIT;
  options.program = kJoining;
  options.arguments = program_arguments;
  mpc_process* process;
  MUST(mpc_process_create(nullptr, &options, &process) == MPC_OK);
  MUST(mpc_process_start(process) == MPC_OK);
  return exit_code_of(process);
}

TEST_F(ProgramStartTest, M08TheChoiceHoldsInPrograms) {
  Ended ended = run_program("chooses_a_default_and_starts_a_program");
  EXPECT_EQ(ended.exit_code, 0) << ended;
  EXPECT_NE(ended.output.find(" by spawn,"), std::string::npos) << ended;
}

MPC_PROGRAM(starts_a_program_and_leaves_the_default_open) {
  mpc_process_options options = MPC_PROCESS_OPTIONS_INIT;
  options.program = "true";
  mpc_process* process;
  MUST(mpc_process_create(nullptr, &options, &process) == MPC_OK);
  mpc_start_method method;
  MUST(mpc_start_method_get(1, &method) == MPC_OK && method == MPC_START_DEFAULT);
  return 0;
}

TEST_F(ProgramStartTest, M07AProgramSettlesNoDefault) {
  EXPECT_EQ(run_program("starts_a_program_and_leaves_the_default_open"), 0);
}

// --- under parents of every kind -----------------------------------------------------------------

// Starts, in a child, the program that fills the block.
int start_filler(const void*, size_t, const mpc_ref* refs, size_t ref_count) {
  const char* arguments[] = {"fill", nullptr};
  mpc_process_options options = MPC_PROCESS_OPTIONS_INIT;
  options.program = kJoining;
  options.arguments = arguments;
  options.argument = "nested";
  options.argument_size = 7;
  options.refs = refs;
  options.ref_count = ref_count;
  mpc_process* process;
  if (mpc_process_create(nullptr, &options, &process) != MPC_OK ||
      mpc_process_start(process) != MPC_OK) {
    return 1;
  }
  return exit_code_of(process);
}

class ProgramParentTest : public StartMethodTest {};
MPC_UNDER_EVERY_START_METHOD(ProgramParentTest);

TEST_P(ProgramParentTest, M21AProgramMayBeNestedInEveryMethod) {
  mpc_block* block;
  mpc_ref ref;
  ASSERT_EQ(mpc_block_create(16, &block), MPC_OK);
  ASSERT_EQ(mpc_block_ref(block, &ref), MPC_OK);
  mpc_process_options options = process_options();
  options.refs = &ref;
  options.ref_count = 1;
  EXPECT_EQ(exit_code_of(start(start_filler, options)), 7);
  EXPECT_STREQ(static_cast<char*>(mpc_block_address(block)), "nested");
  EXPECT_EQ(mpc_block_detach(block), MPC_OK);
}

// Starts a program that never ends, with this process's output, and dies with it. The argument is
// whether the program joins.
struct Leaving {
  bool joins;
  bool detach;
};

int leave_a_program(const void* argument, size_t, const mpc_ref*, size_t) {
  auto leaving = argument_as<Leaving>(argument);
  const char* arguments[] = {leaving.joins ? "wait_to_be_killed" : "-c",
                             "echo here; exec sleep 1000", nullptr};
  mpc_process_options options = MPC_PROCESS_OPTIONS_INIT;
  options.program = leaving.joins ? kJoining : "sh";
  options.arguments = arguments;
  options.standard_output = stream_to(MPC_STDIO_PIPE);
  options.detach = leaving.detach ? 1 : 0;
  mpc_process* process;
  int output;
  int32_t pid;
  char byte;
  if (mpc_process_create(nullptr, &options, &process) != MPC_OK ||
      mpc_process_start(process) != MPC_OK || mpc_process_pipe(process, 1, &output) != MPC_OK ||
      mpc_process_pid(process, &pid) != MPC_OK || read(output, &byte, 1) != 1) {
    return 1;
  }
  printf("%d", pid);
  fflush(stdout);
  raise(SIGKILL);
  return 2;
}

class ProgramOrphanTest : public StartMethodTest {
 protected:
  // The pid of what was left.
  pid_t left_by(Leaving leaving) {
    mpc_process_options options = process_options();
    options.argument = &leaving;
    options.argument_size = sizeof leaving;
    options.standard_output = stream_to(MPC_STDIO_PIPE);
    mpc_process* process = start(leave_a_program, options);
    int output = -1;
    EXPECT_EQ(mpc_process_pipe(process, 1, &output), MPC_OK);
    std::string pid = read_all(output);
    EXPECT_EQ(exit_code_of(process), -SIGKILL);
    return atoi(pid.c_str());
  }
  Subreaper subreaper_;
};
MPC_UNDER_EVERY_START_METHOD(ProgramOrphanTest);

TEST_P(ProgramOrphanTest, AProgramThatJoinedIsKilledWithItsParent) {
  pid_t pid = left_by({true, false});
  ASSERT_GT(pid, 0);
  EXPECT_TRUE(ends_within(pid, kLongEnough));
  EXPECT_TRUE(Subreaper::all_end());
}

TEST_P(ProgramOrphanTest, AProgramThatKnowsNothingOfTheLibraryIsKilledWithItsParent) {
  pid_t pid = left_by({false, false});
  ASSERT_GT(pid, 0);
  EXPECT_TRUE(ends_within(pid, kLongEnough));
  EXPECT_TRUE(Subreaper::all_end());
}

TEST_P(ProgramOrphanTest, ADetachedOneLivesOn) {
  for (bool joins : {false, true}) {
    pid_t pid = left_by({joins, true});
    ASSERT_GT(pid, 0);
    EXPECT_FALSE(ends_within(pid, kLongerThanAnyTick)) << joins;
    EXPECT_EQ(kill(pid, SIGKILL), 0);
  }
  EXPECT_TRUE(Subreaper::all_end());
}

}  // namespace
}  // namespace mpc::test
