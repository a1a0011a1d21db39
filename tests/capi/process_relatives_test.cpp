// SPDX-License-Identifier: Apache-2.0
// What a process knows of itself, of its parent and of its children; many of them.
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <set>
#include <vector>

#include "support/start_method_test.hpp"
#include "support/subreaper.hpp"
#include "support/talk.hpp"

namespace mpc::test {
namespace {

class ProcessRelativesTest : public StartMethodTest {};
MPC_UNDER_EVERY_START_METHOD(ProcessRelativesTest);

// --- M02 -----------------------------------------------------------------------------------------

std::vector<int32_t> active_children() {
  size_t count = 0;
  EXPECT_EQ(mpc_process_children(nullptr, 0, &count), MPC_OK) << last_message();
  std::vector<int32_t> pids(count + 10);
  EXPECT_EQ(mpc_process_children(pids.data(), pids.size(), &count), MPC_OK) << last_message();
  pids.resize(count);
  return pids;
}

TEST_P(ProcessRelativesTest, M02ListsTheChildrenThatRunInTheOrderOfTheirStart) {
  GroupPage<Talk> talk;
  EXPECT_EQ(active_children(), std::vector<int32_t>{});
  std::vector<mpc_process*> processes;
  std::vector<int32_t> pids;
  for (int i = 0; i < 3; ++i) {
    processes.push_back(start(wait_to_be_told, talk.get()));
    pids.push_back(pid_of(processes.back()));
  }
  EXPECT_EQ(active_children(), pids);
  ASSERT_EQ(mpc_process_kill(processes[1]), MPC_OK);
  EXPECT_EQ(exit_code_of(processes[1]), -SIGKILL);
  EXPECT_EQ(active_children(), (std::vector<int32_t>{pids[0], pids[2]}));
  talk->go.set(1);
  for (mpc_process* process : {processes[0], processes[2]}) EXPECT_EQ(exit_code_of(process), 3);
  EXPECT_EQ(active_children(), std::vector<int32_t>{});
}

TEST_P(ProcessRelativesTest, M02ReapsThoseThatHaveEndedAlsoWithoutAHandle) {
  mpc_process* process = nullptr;
  mpc_process_options options = process_options();
  ASSERT_EQ(mpc_process_create(return_five, &options, &process), MPC_OK);
  ASSERT_EQ(mpc_process_start(process), MPC_OK);
  int32_t pid = pid_of(process);
  ASSERT_EQ(mpc_process_destroy(process), MPC_OK);
  ASSERT_TRUE(ends_within(pid, kLongEnough));
  EXPECT_EQ(active_children(), std::vector<int32_t>{});
  EXPECT_EQ(kill(pid, 0), -1) << "a zombie is left";
}

TEST_P(ProcessRelativesTest, M02TellsHowManyThereAreAlsoWithoutRoomForThem) {
  GroupPage<Talk> talk;
  int32_t first = pid_of(start(wait_to_be_told, talk.get()));
  start(wait_to_be_told, talk.get());
  int32_t pids[2] = {-7, -7};
  size_t count = 0;
  EXPECT_EQ(mpc_process_children(pids, 1, &count), MPC_OK);
  EXPECT_EQ(count, 2u);
  EXPECT_EQ(pids[0], first);
  EXPECT_EQ(pids[1], -7);
  EXPECT_EQ(mpc_process_children(nullptr, 1, &count), MPC_EINVAL);
  talk->go.set(1);
}

TEST_P(ProcessRelativesTest, M02TheChildrenOfTheParentAreNotThoseOfAFork) {
  GroupPage<Talk> talk;
  mpc_process* process = start(wait_to_be_told, talk.get());
  EXPECT_EQ(wait_for(fork_and([] { return active_children().empty() ? 0 : 1; })), 0);
  talk->go.set(1);
  EXPECT_EQ(exit_code_of(process), 3);
}

MPC_PROGRAM(asks_for_children_first) {
  size_t count = 99;
  MUST(mpc_process_children(nullptr, 0, &count) == MPC_OK && count == 0);
  return 0;
}

TEST(ProcessRelativesProgramTest, M02AProcessThatStartedNobodyHasNoChildren) {
  EXPECT_EQ(run_program("asks_for_children_first"), 0);
}

// --- M03 -----------------------------------------------------------------------------------------

int describe_itself(const void* argument, size_t, const mpc_ref*, size_t) {
  Talk* talk = argument_as<Talk*>(argument);
  size_t size = mpc_process_current_describe(talk->text, sizeof talk->text);
  return size == strlen(talk->text) ? mpc_process_current_is_daemon() : 9;
}

TEST_P(ProcessRelativesTest, M03AChildDescribesItself) {
  GroupPage<Talk> talk;
  Talk* page = talk.get();
  mpc_process_options options = options_with(page, GetParam());
  options.name = "reader";
  options.daemon = 1;
  mpc_process* process = start(describe_itself, options);
  EXPECT_EQ(exit_code_of(process), 1);
  EXPECT_EQ(std::string(talk->text),
            "<Process name='reader' pid=" + std::to_string(pid_of(process)) +
                " parent=" + std::to_string(getpid()) + " started daemon>");
  options.daemon = 2;
  process = start(describe_itself, options);
  EXPECT_EQ(exit_code_of(process), 0);
  EXPECT_EQ(std::string(talk->text).find("daemon"), std::string::npos);
}

TEST(CurrentProcessTest, M03TheFirstProcessIsTheMainProcessAndNoDaemon) {
  std::string expected =
      "<Process name='MainProcess' pid=" + std::to_string(getpid()) + " started>";
  char text[160] = "";
  EXPECT_EQ(mpc_process_current_describe(text, sizeof text), expected.size());
  EXPECT_EQ(text, expected);
  EXPECT_EQ(mpc_process_current_describe(nullptr, 0), expected.size());
  EXPECT_EQ(mpc_process_current_describe(text, 9), expected.size());
  EXPECT_STREQ(text, "<Process");
  EXPECT_EQ(mpc_process_current_is_daemon(), 0);
}

// --- M04 -----------------------------------------------------------------------------------------

TEST(ParentProcessTest, M04TheFirstProcessHasNoParent) {
  int32_t pid = -5;
  int alive = -5;
  char text[160] = "as it was";
  EXPECT_EQ(mpc_process_parent_pid(&pid), MPC_ESTATE);
  EXPECT_EQ(mpc_process_parent_is_alive(&alive), MPC_ESTATE);
  EXPECT_EQ(mpc_process_parent_name(text, sizeof text), MPC_ESTATE);
  EXPECT_EQ(mpc_process_parent_describe(text, sizeof text), MPC_ESTATE);
  EXPECT_EQ(mpc_process_parent_join(MPC_FOREVER), MPC_ESTATE);
  EXPECT_EQ(pid, -5);
  EXPECT_EQ(alive, -5);
  EXPECT_STREQ(text, "as it was");
}

int look_at_the_parent(const void* argument, size_t, const mpc_ref*, size_t) {
  Talk* talk = argument_as<Talk*>(argument);
  int32_t pid = 0;
  int alive = 0;
  MUST(mpc_process_parent_pid(&pid) == MPC_OK);
  MUST(mpc_process_parent_is_alive(&alive) == MPC_OK);
  MUST(mpc_process_parent_name(talk->text, sizeof talk->text) == MPC_OK);
  MUST(mpc_process_parent_describe(talk->more, sizeof talk->more) == MPC_OK);
  talk->number.set(static_cast<uint32_t>(pid));
  return alive;
}

TEST_P(ProcessRelativesTest, M04AChildKnowsItsParentsPidAndNameAndThatItLives) {
  GroupPage<Talk> talk;
  EXPECT_EQ(exit_code_of(start(look_at_the_parent, talk.get())), 1);
  EXPECT_EQ(talk->number.value(), static_cast<uint32_t>(getpid()));
  EXPECT_STREQ(talk->text, "MainProcess");
  EXPECT_EQ(std::string(talk->more),
            "<ParentProcess name='MainProcess' pid=" + std::to_string(getpid()) + " started>");
}

int have_a_child_look_at_its_parent(const void* argument, size_t, const mpc_ref*, size_t) {
  Talk* talk = argument_as<Talk*>(argument);
  mpc_process_options options = options_with(talk, talk->method);
  mpc_process* process = nullptr;
  MUST(mpc_process_create(look_at_the_parent, &options, &process) == MPC_OK);
  MUST(mpc_process_start(process) == MPC_OK);
  MUST(mpc_process_join(process, MPC_FOREVER) == MPC_OK);
  MUST(mpc_process_destroy(process) == MPC_OK);
  return talk->number.value() == static_cast<uint32_t>(getpid()) ? 0 : 1;
}

TEST_P(ProcessRelativesTest, M04TheParentOfAGrandchildIsTheChild) {
  GroupPage<Talk> talk;
  talk->method = GetParam();
  Talk* page = talk.get();
  mpc_process_options options = options_with(page, GetParam());
  options.name = "middle";
  EXPECT_EQ(exit_code_of(start(have_a_child_look_at_its_parent, options)), 0);
  EXPECT_STREQ(talk->text, "middle");
}

int wait_for_the_parent_a_little(const void*, size_t, const mpc_ref*, size_t) {
  int64_t before = now_ns();
  if (mpc_process_parent_join(0) != MPC_ETIMEDOUT) return 1;
  if (mpc_process_parent_join(-5) != MPC_ETIMEDOUT) return 2;
  if (mpc_process_parent_join(MPC_MILLISECONDS(30)) != MPC_ETIMEDOUT) return 3;
  return now_ns() - before >= MPC_MILLISECONDS(30) - kTolerance ? 0 : 4;
}

TEST_P(ProcessRelativesTest, M04JoiningAParentThatLivesTimesOut) {
  EXPECT_EQ(exit_code_of(start(wait_for_the_parent_a_little)), 0);
}

// What outlives its parent writes to a file: group memory ends with the programs that have it.
int outlive_the_parent(const void* argument, size_t size, const mpc_ref*, size_t) {
  std::string path(static_cast<const char*>(argument), size);
  char text[160] = "";
  int alive = 1;
  MUST(mpc_process_parent_join(kLongEnough) == MPC_OK);
  MUST(mpc_process_parent_join(0) == MPC_OK);
  MUST(mpc_process_parent_is_alive(&alive) == MPC_OK && alive == 0);
  MUST(mpc_process_parent_describe(text, sizeof text) == MPC_OK);
  int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  MUST(fd >= 0);
  MUST(write(fd, text, strlen(text)) > 0);
  return 0;
}

MPC_PROGRAM(leaves_a_child_that_waits_for_its_end) {
  mpc_process_options options = MPC_PROCESS_OPTIONS_INIT;
  options.start_method = static_cast<uint32_t>(atoi(arguments.at(0).c_str()));
  options.detach = 1;
  options.argument = arguments.at(1).data();
  options.argument_size = arguments.at(1).size();
  mpc_process* process = nullptr;
  MUST(mpc_process_create(outlive_the_parent, &options, &process) == MPC_OK);
  MUST(mpc_process_start(process) == MPC_OK);
  raise(SIGKILL);
  return 0;
}

class OrphanTest : public testing::TestWithParam<mpc_start_method> {
 protected:
  void TearDown() override { EXPECT_TRUE(subreaper_.all_end()) << "a descendant lives on"; }
  Subreaper subreaper_;
};
MPC_UNDER_EVERY_START_METHOD(OrphanTest);

TEST_P(OrphanTest, M04ADetachedChildSeesItsParentsEnd) {
  char path[] = "/tmp/mpc_parent_test_XXXXXX";
  int fd = mkstemp(path);
  ASSERT_GE(fd, 0);
  RunningProgram program("leaves_a_child_that_waits_for_its_end",
                         {std::to_string(GetParam()), path});
  pid_t parent = program.pid();
  EXPECT_EQ(program.wait(), -SIGKILL);
  char text[200] = "";
  // A child that a fork server has just forked goes by the server's name still.
  for (int64_t deadline = now_ns() + kLongEnough; now_ns() < deadline; sched_yield()) {
    if (pread(fd, text, sizeof text - 1, 0) > 0) break;
  }
  EXPECT_EQ(std::string(text),
            "<ParentProcess name='MainProcess' pid=" + std::to_string(parent) + " stopped>");
  close(fd);
  unlink(path);
}

// --- P21 -----------------------------------------------------------------------------------------

TEST_P(ProcessRelativesTest, P21AHundredProcessesRunAtOnce) {
  GroupPage<Talk> talk;
  std::vector<mpc_process*> processes;
  for (int i = 0; i < 100; ++i) processes.push_back(start(wait_to_be_told, talk.get()));
  ASSERT_TRUE(talk->ready.reaches(100));
  std::vector<int32_t> pids = active_children();
  EXPECT_EQ(std::set<int32_t>(pids.begin(), pids.end()).size(), 100u);
  talk->go.set(1);
  for (mpc_process* process : processes) EXPECT_EQ(exit_code_of(process), 3);
}

struct Branch {
  Talk* talk;
  uint32_t depth;
};

int have_two_children_each(const void* argument, size_t, const mpc_ref*, size_t) {
  Branch branch = argument_as<Branch>(argument);
  branch.talk->ready.add();
  if (branch.depth == 0) return 0;
  --branch.depth;
  for (int i = 0; i < 2; ++i) {
    mpc_process_options options = MPC_PROCESS_OPTIONS_INIT;
    options.start_method = branch.talk->method;
    options.argument = &branch;
    options.argument_size = sizeof branch;
    mpc_process* process = nullptr;
    int exit_code = -1;
    MUST(mpc_process_create(have_two_children_each, &options, &process) == MPC_OK);
    MUST(mpc_process_start(process) == MPC_OK);
    MUST(mpc_process_join(process, MPC_FOREVER) == MPC_OK);
    MUST(mpc_process_exit_code(process, &exit_code) == MPC_OK);
    MUST(mpc_process_destroy(process) == MPC_OK);
    if (exit_code != 0) return exit_code;
  }
  return 0;
}

TEST_P(ProcessRelativesTest, P21ProcessesMayHaveProcessesThatHaveProcesses) {
  GroupPage<Talk> talk;
  talk->method = GetParam();
  EXPECT_EQ(exit_code_of(start(have_two_children_each, Branch{talk.get(), 3})), 0);
  EXPECT_EQ(talk->ready.value(), 15u);
}

int compare_thread_id(const void*, size_t, const mpc_ref*, size_t) {
  return syscall(SYS_gettid) == getpid() ? 0 : 1;
}

TEST_P(ProcessRelativesTest, P21TheFunctionRunsOnTheThreadThatHasTheProcessesNumber) {
  EXPECT_EQ(exit_code_of(start(compare_thread_id)), 0);
}

}  // namespace
}  // namespace mpc::test
