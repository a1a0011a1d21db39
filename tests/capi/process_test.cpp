// SPDX-License-Identifier: Apache-2.0
// A process from the options to the handle's end; how it ends is in process_end_test.cpp.
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/start_method_test.hpp"
#include "support/talk.hpp"

namespace mpc::test {
namespace {

class ProcessTest : public StartMethodTest {};
MPC_UNDER_EVERY_START_METHOD(ProcessTest);

class ProcessProgramTest : public ProgramTest {};
MPC_UNDER_EVERY_START_METHOD(ProcessProgramTest);

std::string name_of(mpc_process* process) {
  char name[64] = "";
  EXPECT_EQ(mpc_process_name(process, name, sizeof name), MPC_OK) << last_message();
  return name;
}

std::string description_of(mpc_process* process) {
  char text[160] = "";
  EXPECT_EQ(mpc_process_describe(process, text, sizeof text), MPC_OK) << last_message();
  return text;
}

int state_of(mpc_process* process) {
  mpc_process_state state = MPC_PROCESS_INITIAL;
  EXPECT_EQ(mpc_process_state_get(process, &state), MPC_OK) << last_message();
  return state;
}

int alive(mpc_process* process) {
  int alive = -1;
  EXPECT_EQ(mpc_process_is_alive(process, &alive), MPC_OK) << last_message();
  return alive;
}

// --- P01, P02 ------------------------------------------------------------------------------------

int tell_name(const void* argument, size_t, const mpc_ref*, size_t) {
  Talk* talk = argument_as<Talk*>(argument);
  mpc_process_current_name(talk->text, sizeof talk->text);
  return 0;
}

TEST_P(ProcessTest, P01TheNameIsKnownHereAndInTheChild) {
  GroupPage<Talk> talk;
  Talk* page = talk.get();
  mpc_process_options options = options_with(page, GetParam());
  options.name = "reader";
  mpc_process* process = start(tell_name, options);
  EXPECT_EQ(exit_code_of(process), 0);
  EXPECT_STREQ(talk->text, "reader");
  EXPECT_EQ(name_of(process), "reader");
}

TEST_P(ProcessTest, P01RefusesANameThatIsEmptyOrLongerThan63Bytes) {
  mpc_process_options options = process_options();
  mpc_process* process = nullptr;
  std::string name(64, 'n');
  options.name = name.c_str();
  EXPECT_EQ(mpc_process_create(nullptr, &options, &process), MPC_EINVAL);
  options.name = "";
  EXPECT_EQ(mpc_process_create(nullptr, &options, &process), MPC_EINVAL);
  EXPECT_EQ(process, nullptr);
  name.pop_back();
  options.name = name.c_str();
  EXPECT_EQ(name_of(make(nullptr, options)), name);
}

int name_own_child(const void* argument, size_t, const mpc_ref*, size_t) {
  mpc_process_options options = MPC_PROCESS_OPTIONS_INIT;
  options.argument = argument;
  options.argument_size = sizeof(Talk*);
  mpc_process* process;
  MUST(mpc_process_create(tell_name, &options, &process) == MPC_OK);
  MUST(mpc_process_start(process) == MPC_OK);
  MUST(mpc_process_join(process, MPC_FOREVER) == MPC_OK);
  MUST(mpc_process_destroy(process) == MPC_OK);
  return 0;
}

MPC_PROGRAM(names_three_generations) {
  char own[64];
  MUST(mpc_process_current_name(own, sizeof own) == strlen("MainProcess"));
  Talk* page = in_group<Talk>();
  printf("%s", own);
  for (mpc_process_fn function : {tell_name, name_own_child}) {
    mpc_process_options options = MPC_PROCESS_OPTIONS_INIT;
    options.argument = &page;
    options.argument_size = sizeof page;
    mpc_process* process;
    MUST(mpc_process_create(function, &options, &process) == MPC_OK);
    MUST(mpc_process_start(process) == MPC_OK);
    MUST(mpc_process_join(process, MPC_FOREVER) == MPC_OK);
    printf(" %s", page->text);
  }
  return 0;
}

TEST_P(ProcessProgramTest, P01TheDefaultNameIsThePlaceInTheTree) {
  EXPECT_EQ(run_program("names_three_generations").output, "MainProcess Process-1 Process-2:1");
}

int compare_argument(const void* argument, size_t size, const mpc_ref* refs, size_t ref_count) {
  (void)refs;
  std::string text(static_cast<const char*>(argument), size);
  return text == std::string("as it was\0 then", 15) && ref_count == 0 ? 0 : 1;
}

TEST_P(ProcessTest, P01TheArgumentIsCopiedWhenTheProcessIsMade) {
  char bytes[] = "as it was\0 then";
  mpc_process_options options = process_options();
  options.argument = bytes;
  options.argument_size = 15;
  mpc_process* process = make(compare_argument, options);
  memset(bytes, 'x', sizeof bytes);
  ASSERT_EQ(mpc_process_start(process), MPC_OK);
  EXPECT_EQ(exit_code_of(process), 0);
}

int check_megabytes(const void* argument, size_t size, const mpc_ref*, size_t) {
  auto bytes = static_cast<const unsigned char*>(argument);
  if (size != 3 << 20) return 1;
  for (size_t i = 0; i < size; ++i) {
    if (bytes[i] != i * 7 % 251) return 2;
  }
  return 0;
}

TEST_P(ProcessTest, P01AnArgumentMayBeSeveralMegabytes) {
  std::vector<unsigned char> bytes(3 << 20);
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<unsigned char>(i * 7 % 251);
  mpc_process_options options = process_options();
  options.argument = bytes.data();
  options.argument_size = bytes.size();
  EXPECT_EQ(exit_code_of(start(check_megabytes, options)), 0);
}

int describe_child_of_daemon(const void* argument, size_t, const mpc_ref*, size_t) {
  mpc_process* process;
  MUST(mpc_process_create(nullptr, nullptr, &process) == MPC_OK);
  Talk* talk = argument_as<Talk*>(argument);
  MUST(mpc_process_describe(process, talk->text, sizeof talk->text) == MPC_OK);
  MUST(mpc_process_destroy(process) == MPC_OK);
  return 0;
}

TEST_P(ProcessTest, P01ChildrenOfADaemonAreDaemonsUnlessToldOtherwise) {
  GroupPage<Talk> talk;
  Talk* page = talk.get();
  mpc_process_options options = options_with(page, GetParam());
  options.daemon = 1;
  EXPECT_EQ(exit_code_of(start(describe_child_of_daemon, options)), 0);
  EXPECT_NE(std::string(talk->text).find(" daemon>"), std::string::npos) << talk->text;
  EXPECT_EQ(description_of(make(nullptr, process_options())).find("daemon"), std::string::npos);
}

TEST_P(ProcessTest, P02AProcessWithoutAFunctionDoesNothingAndExitsWith0) {
  EXPECT_EQ(exit_code_of(start(nullptr)), 0);
}

int count_refs(const void*, size_t, const mpc_ref* refs, size_t ref_count) {
  for (size_t i = 0; i < ref_count; ++i) {
    mpc_block* block;
    MUST(mpc_block_attach(&refs[i], &block) == MPC_OK);
    MUST(*static_cast<char*>(mpc_block_address(block)) == static_cast<char>('a' + i));
    MUST(mpc_block_detach(block) == MPC_OK);
  }
  return static_cast<int>(ref_count);
}

TEST_P(ProcessTest, P02TheFunctionIsGivenTheRefsInTheirOrder) {
  mpc_block* blocks[3];
  mpc_ref refs[3];
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(mpc_block_create(64, &blocks[i]), MPC_OK);
    *static_cast<char*>(mpc_block_address(blocks[i])) = static_cast<char>('a' + i);
    ASSERT_EQ(mpc_block_ref(blocks[i], &refs[i]), MPC_OK);
  }
  mpc_process_options options = process_options();
  options.refs = refs;
  options.ref_count = 3;
  EXPECT_EQ(exit_code_of(start(count_refs, options)), 3);
  for (mpc_block* block : blocks) EXPECT_EQ(mpc_block_detach(block), MPC_OK);
}

// --- P03 -----------------------------------------------------------------------------------------

TEST_P(ProcessTest, P03StartingTwiceIsRefused) {
  mpc_process* process = start(return_seven);
  EXPECT_EQ(mpc_process_start(process), MPC_ESTATE);
  EXPECT_EQ(exit_code_of(process), 7);
  EXPECT_EQ(mpc_process_start(process), MPC_ESTATE);
}

TEST_P(ProcessTest, P03StartingAClosedProcessIsRefused) {
  mpc_process* process = make(return_seven, process_options());
  ASSERT_EQ(mpc_process_close(process), MPC_OK);
  EXPECT_EQ(mpc_process_start(process), MPC_ESTATE);
}

TEST_P(ProcessTest, P03OnlyTheProcessThatMadeItMayStartIt) {
  mpc_process* process = make(return_seven, process_options());
  EXPECT_EQ(wait_for(fork_and([&] { return mpc_process_start(process) == MPC_ECHILD ? 0 : 1; })),
            0);
  EXPECT_EQ(mpc_process_start(process), MPC_OK);
  EXPECT_EQ(exit_code_of(process), 7);
}

TEST_P(ProcessTest, P03AStartWithTheRefOfSomethingThatEndedIsRefusedAndLeavesNothing) {
  mpc_block* block;
  mpc_ref ref;
  ASSERT_EQ(mpc_block_create(64, &block), MPC_OK);
  ASSERT_EQ(mpc_block_ref(block, &ref), MPC_OK);
  mpc_process_options options = process_options();
  options.refs = &ref;
  options.ref_count = 1;
  mpc_process* process = make(return_seven, options);
  ASSERT_EQ(mpc_block_detach(block), MPC_OK);
  EXPECT_EQ(mpc_process_start(process), MPC_ESTALE);
  EXPECT_EQ(state_of(process), MPC_PROCESS_INITIAL);
}

// --- P05, P06, P07 -------------------------------------------------------------------------------

TEST_P(ProcessTest, P05IsAliveFromStartToEnd) {
  GroupPage<Talk> talk;
  Talk* page = talk.get();
  mpc_process_options options = options_with(page, GetParam());
  mpc_process* process = make(wait_to_be_told, options);
  EXPECT_EQ(alive(process), 0);
  ASSERT_EQ(mpc_process_start(process), MPC_OK);
  EXPECT_EQ(alive(process), 1);
  talk->go.set(1);
  EXPECT_EQ(exit_code_of(process), 3);
  EXPECT_EQ(alive(process), 0);
}

TEST_P(ProcessTest, P05AStoppedProcessIsAlive) {
  GroupPage<Talk> talk;
  mpc_process* process = start(wait_to_be_told, talk.get());
  ASSERT_TRUE(talk->ready.reaches(1));
  kill(pid_of(process), SIGSTOP);
  ASSERT_TRUE(is_stopped(pid_of(process)));
  EXPECT_EQ(alive(process), 1);
  EXPECT_EQ(state_of(process), MPC_PROCESS_STARTED);
  EXPECT_EQ(mpc_process_join(process, MPC_MILLISECONDS(20)), MPC_ETIMEDOUT);
  talk->go.set(1);
  kill(pid_of(process), SIGCONT);
  EXPECT_EQ(exit_code_of(process), 3);
}

TEST_P(ProcessTest, P05IsAliveNoticesAnEndThatNobodyJoined) {
  mpc_process* process = start(return_seven);
  ASSERT_TRUE(ends_within(pid_of(process), kLongEnough));
  EXPECT_EQ(alive(process), 0);
  EXPECT_EQ(state_of(process), MPC_PROCESS_STOPPED);
}

TEST_P(ProcessTest, P06TheNameCanBeChanged) {
  GroupPage<Talk> talk;
  Talk* page = talk.get();
  mpc_process_options options = options_with(page, GetParam());
  mpc_process* process = make(tell_name, options);
  ASSERT_EQ(mpc_process_set_name(process, "writer"), MPC_OK);
  ASSERT_EQ(mpc_process_start(process), MPC_OK);
  ASSERT_EQ(mpc_process_set_name(process, "renamed too late"), MPC_OK);
  EXPECT_EQ(exit_code_of(process), 0);
  EXPECT_STREQ(talk->text, "writer");
  EXPECT_EQ(name_of(process), "renamed too late");
}

TEST_P(ProcessTest, P06ANameThatCannotBeIsRefusedAndTheOldOneStays) {
  mpc_process* process = make(nullptr, process_options());
  ASSERT_EQ(mpc_process_set_name(process, "good"), MPC_OK);
  EXPECT_EQ(mpc_process_set_name(process, ""), MPC_EINVAL);
  EXPECT_EQ(mpc_process_set_name(process, std::string(64, 'n').c_str()), MPC_EINVAL);
  EXPECT_EQ(mpc_process_set_name(process, nullptr), MPC_EINVAL);
  EXPECT_EQ(name_of(process), "good");
}

TEST_P(ProcessTest, P06ANameIsCutWhereTheBufferIsTooSmall) {
  mpc_process* process = make(nullptr, process_options());
  ASSERT_EQ(mpc_process_set_name(process, "abcdef"), MPC_OK);
  char buffer[4] = "xxx";
  EXPECT_EQ(mpc_process_name(process, buffer, sizeof buffer), MPC_OK);
  EXPECT_STREQ(buffer, "abc");
}

int tell_pid(const void* argument, size_t, const mpc_ref*, size_t) {
  argument_as<Talk*>(argument)->number.set(static_cast<uint32_t>(getpid()));
  return 0;
}

TEST_P(ProcessTest, P07ThePidIsTheChildsAndStaysKnown) {
  GroupPage<Talk> talk;
  mpc_process* process = start(tell_pid, talk.get());
  int32_t pid = pid_of(process);
  EXPECT_EQ(exit_code_of(process), 0);
  EXPECT_EQ(talk->number.value(), static_cast<uint32_t>(pid));
  EXPECT_EQ(pid_of(process), pid);
}

TEST_P(ProcessTest, P07ThereIsNoPidBeforeTheStart) {
  int32_t pid = -5;
  EXPECT_EQ(mpc_process_pid(make(nullptr, process_options()), &pid), MPC_ESTATE);
  EXPECT_EQ(pid, -5);
}

// --- P14, P16 ------------------------------------------------------------------------------------

TEST_P(ProcessTest, P14CloseIsRefusedWhileTheProcessRuns) {
  GroupPage<Talk> talk;
  mpc_process* process = start(wait_to_be_told, talk.get());
  EXPECT_EQ(mpc_process_close(process), MPC_ESTATE);
  talk->go.set(1);
  EXPECT_EQ(exit_code_of(process), 3);
  EXPECT_EQ(mpc_process_close(process), MPC_OK);
}

TEST_P(ProcessTest, P14AClosedProcessAnswersNothingButItsStateAndDescription) {
  mpc_process* process = start(return_seven);
  EXPECT_EQ(exit_code_of(process), 7);
  ASSERT_EQ(mpc_process_close(process), MPC_OK);
  EXPECT_EQ(mpc_process_close(process), MPC_OK);
  int number;
  int32_t pid;
  char text[64];
  EXPECT_EQ(mpc_process_join(process, 0), MPC_ESTATE);
  EXPECT_EQ(mpc_process_is_alive(process, &number), MPC_ESTATE);
  EXPECT_EQ(mpc_process_exit_code(process, &number), MPC_ESTATE);
  EXPECT_EQ(mpc_process_terminate(process), MPC_ESTATE);
  EXPECT_EQ(mpc_process_kill(process), MPC_ESTATE);
  EXPECT_EQ(mpc_process_pid(process, &pid), MPC_ESTATE);
  EXPECT_EQ(mpc_process_name(process, text, sizeof text), MPC_ESTATE);
  EXPECT_EQ(mpc_process_set_name(process, "x"), MPC_ESTATE);
  EXPECT_EQ(state_of(process), MPC_PROCESS_CLOSED);
  EXPECT_NE(description_of(process).find(" closed>"), std::string::npos);
}

TEST_P(ProcessTest, P14AProcessThatWasNeverStartedCanBeClosed) {
  EXPECT_EQ(mpc_process_close(make(nullptr, process_options())), MPC_OK);
}

TEST_P(ProcessTest, P16DescribesAProcessInEachState) {
  GroupPage<Talk> talk;
  Talk* page = talk.get();
  mpc_process_options options = options_with(page, GetParam());
  options.name = "worker bee";
  options.daemon = 1;
  std::string parent = " parent=" + std::to_string(getpid());
  mpc_process* process = make(wait_for_a_signal, options);
  EXPECT_EQ(description_of(process), "<Process name='worker bee'" + parent + " initial daemon>");
  ASSERT_EQ(mpc_process_start(process), MPC_OK);
  std::string pid = " pid=" + std::to_string(pid_of(process));
  EXPECT_EQ(description_of(process),
            "<Process name='worker bee'" + pid + parent + " started daemon>");
  ASSERT_EQ(mpc_process_terminate(process), MPC_OK);
  EXPECT_EQ(exit_code_of(process), -SIGTERM);
  EXPECT_EQ(description_of(process),
            "<Process name='worker bee'" + pid + parent + " stopped exitcode=-SIGTERM daemon>");
  ASSERT_EQ(mpc_process_close(process), MPC_OK);
  EXPECT_EQ(description_of(process),
            "<Process name='worker bee'" + pid + parent + " closed daemon>");
}

TEST_P(ProcessTest, P16TellsTheExitCodeOfAProcessThatReturned) {
  mpc_process* process = start(return_seven);
  ASSERT_TRUE(ends_within(pid_of(process), kLongEnough));
  EXPECT_NE(description_of(process).find(" stopped exitcode=7>"), std::string::npos);
}

TEST_P(ProcessTest, P16IsUnknownToAProcessThatDidNotStartIt) {
  GroupPage<Talk> talk;
  mpc_process* process = start(wait_to_be_told, talk.get());
  EXPECT_EQ(wait_for(fork_and([&] {
              return description_of(process).find(" unknown>") != std::string::npos ? 0 : 1;
            })),
            0);
  talk->go.set(1);
  EXPECT_EQ(exit_code_of(process), 3);
}

// --- P19 -----------------------------------------------------------------------------------------

TEST_P(ProcessTest, P19TwoHundredStartsLeaveTheDescriptorsAsTheyWere) {
  size_t before = MachineState::now().descriptors.size();
  for (int i = 0; i < 200; ++i) {
    mpc_process_options options = process_options();
    mpc_process* process;
    ASSERT_EQ(mpc_process_create(return_seven, &options, &process), MPC_OK);
    ASSERT_EQ(mpc_process_start(process), MPC_OK);
    ASSERT_EQ(exit_code_of(process), 7);
    ASSERT_EQ(mpc_process_destroy(process), MPC_OK);
  }
  EXPECT_EQ(MachineState::now().descriptors.size(), before);
}

TEST_P(ProcessTest, P19ProcessesAtOnceCostNoDescriptorEach) {
  size_t before = MachineState::now().descriptors.size();
  GroupPage<Talk> talk;
  std::vector<mpc_process*> processes;
  for (int i = 0; i < 50; ++i) processes.push_back(start(wait_to_be_told, talk.get()));
  EXPECT_LE(MachineState::now().descriptors.size(), before + 1) << "but for the newest";
  talk->go.set(1);
  for (mpc_process* process : processes) EXPECT_EQ(exit_code_of(process), 3);
}

int count_descriptors(const void*, size_t, const mpc_ref*, size_t) {
  return static_cast<int>(MachineState::now().descriptors.size());
}

TEST_P(ProcessTest, P19AChildHasNoMoreDescriptorsTheLaterItIsStarted) {
  int first = exit_code_of(start(count_descriptors));
  for (int i = 0; i < 20; ++i) ASSERT_EQ(exit_code_of(start(nullptr)), 0);
  EXPECT_EQ(exit_code_of(start(count_descriptors)), first);
}

MPC_PROGRAM(marks_its_descriptors) {
  MachineState before = MachineState::now();
  mpc_process* process;
  MUST(mpc_process_create(return_seven, nullptr, &process) == MPC_OK);
  MUST(mpc_process_start(process) == MPC_OK);
  MUST(mpc_process_join(process, MPC_FOREVER) == MPC_OK);
  for (const auto& [fd, target] : MachineState::now().descriptors) {
    if (before.descriptors.count(fd) != 0) continue;
    printf("%s;", (fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0 ? "closed on exec" : target.c_str());
  }
  return 0;
}

TEST_P(ProcessProgramTest, P19EveryDescriptorOfTheLibraryIsClosedOnExec) {
  std::string output = run_program("marks_its_descriptors").output;
  ASSERT_NE(output, "");
  for (size_t at = output.find("closed on exec;"); at != std::string::npos;
       at = output.find("closed on exec;")) {
    output.erase(at, strlen("closed on exec;"));
  }
  EXPECT_EQ(output, "");
}

TEST_P(ProcessTest, P19AProcessThatNobodyJoinsLeavesNoZombiePastTheNextStart) {
  mpc_process_options options = process_options();
  mpc_process* process;
  ASSERT_EQ(mpc_process_create(return_seven, &options, &process), MPC_OK);
  ASSERT_EQ(mpc_process_start(process), MPC_OK);
  int32_t pid = pid_of(process);
  ASSERT_EQ(mpc_process_destroy(process), MPC_OK);
  ASSERT_TRUE(ends_within(pid, kLongEnough));
  EXPECT_EQ(exit_code_of(start(nullptr)), 0);
  EXPECT_EQ(waitpid(pid, nullptr, WNOHANG), -1);
}

}  // namespace
}  // namespace mpc::test
