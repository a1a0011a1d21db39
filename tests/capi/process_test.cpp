// SPDX-License-Identifier: Apache-2.0
// A process from the options to the handle's end; how it ends is in process_end_test.cpp.
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

#include "support/start_method_test.hpp"
#include "support/talk.hpp"

namespace mpc::test {
namespace {

class ProcessTest : public StartMethodTest {};
MPC_UNDER_EVERY_START_METHOD(ProcessTest);

int return_seven(const void*, size_t, const mpc_ref*, size_t) { return 7; }

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

// --- M11 -----------------------------------------------------------------------------------------

int number_in_memory = 1;

int add_to_number(const void*, size_t, const mpc_ref*, size_t) { return ++number_in_memory; }

TEST_P(ProcessTest, M11ForkGivesTheChildACopyOfTheMemoryAsItWasAtStart) {
  mpc_process* process = make(add_to_number, process_options());
  number_in_memory = 41;
  ASSERT_EQ(mpc_process_start(process), MPC_OK);
  EXPECT_EQ(exit_code_of(process), GetParam() == MPC_START_FORK ? 42 : 2) << "others copy nothing";
  EXPECT_EQ(number_in_memory, 41);
}

MPC_PROGRAM(has_an_exit_function) {
  atexit([] {
    if (write(STDOUT_FILENO, "exit function;", 14) != 14) _exit(kMustFailed);
  });
  mpc_process* process;
  MUST(mpc_process_create(return_seven, nullptr, &process) == MPC_OK);
  MUST(mpc_process_start(process) == MPC_OK);
  MUST(mpc_process_join(process, MPC_FOREVER) == MPC_OK);
  return 0;
}

TEST(ProcessProgramTest, M11TheParentsExitFunctionsDoNotRunInTheChild) {
  EXPECT_EQ(run_program("has_an_exit_function").output, "exit function;");
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
  SharedPage<Talk> talk;
  Talk* page = talk.get();
  printf("%s", own);
  for (mpc_process_fn function : {tell_name, name_own_child}) {
    mpc_process_options options = MPC_PROCESS_OPTIONS_INIT;
    options.argument = &page;
    options.argument_size = sizeof page;
    mpc_process* process;
    MUST(mpc_process_create(function, &options, &process) == MPC_OK);
    MUST(mpc_process_start(process) == MPC_OK);
    MUST(mpc_process_join(process, MPC_FOREVER) == MPC_OK);
    printf(" %s", talk->text);
  }
  return 0;
}

TEST(ProcessProgramTest, P01TheDefaultNameIsThePlaceInTheTree) {
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

// --- P04 -----------------------------------------------------------------------------------------

TEST_P(ProcessTest, P04JoinWaitsUntilTheProcessHasEnded) {
  GroupPage<Talk> talk;
  mpc_process* process = start(wait_to_be_told, talk.get());
  ASSERT_TRUE(talk->ready.reaches(1));
  std::thread teller([&] { talk->go.set(1); });
  EXPECT_EQ(mpc_process_join(process, MPC_FOREVER), MPC_OK);
  teller.join();
  EXPECT_EQ(exit_code_of(process), 3);
}

TEST_P(ProcessTest, P04JoinReturnsAtOnceWithATimeoutOf0) {
  GroupPage<Talk> talk;
  mpc_process* process = start(wait_to_be_told, talk.get());
  EXPECT_EQ(mpc_process_join(process, 0), MPC_ETIMEDOUT);
  talk->go.set(1);
  EXPECT_EQ(exit_code_of(process), 3);
  EXPECT_EQ(mpc_process_join(process, 0), MPC_OK);
}

TEST_P(ProcessTest, P04JoinReturnsAtOnceWithANegativeTimeout) {
  GroupPage<Talk> talk;
  mpc_process* process = start(wait_to_be_told, talk.get());
  EXPECT_EQ(mpc_process_join(process, -2), MPC_ETIMEDOUT);
  EXPECT_EQ(mpc_process_join(process, -MPC_SECONDS(5)), MPC_ETIMEDOUT);
  EXPECT_EQ(mpc_process_join(process, INT64_MIN), MPC_ETIMEDOUT);
  talk->go.set(1);
  EXPECT_EQ(exit_code_of(process), 3);
  EXPECT_EQ(mpc_process_join(process, -2), MPC_OK);
}

TEST_P(ProcessTest, P04JoinTimesOutNotBeforeItsTime) {
  GroupPage<Talk> talk;
  mpc_process* process = start(wait_to_be_told, talk.get());
  int64_t before = now_ns();
  EXPECT_EQ(mpc_process_join(process, MPC_MILLISECONDS(50)), MPC_ETIMEDOUT);
  EXPECT_GE(now_ns() - before, MPC_MILLISECONDS(50) - kTolerance);
  talk->go.set(1);
  EXPECT_EQ(exit_code_of(process), 3);
}

TEST_P(ProcessTest, P04JoinTwiceTellsTheSame) {
  mpc_process* process = start(return_seven);
  EXPECT_EQ(exit_code_of(process), 7);
  EXPECT_EQ(exit_code_of(process), 7);
}

TEST_P(ProcessTest, P04JoinIsRefusedBeforeTheStart) {
  EXPECT_EQ(mpc_process_join(make(nullptr, process_options()), 0), MPC_ESTATE);
}

TEST_P(ProcessTest, P04JoinIsRefusedInAnotherProcess) {
  mpc_process* process = start(return_seven);
  EXPECT_EQ(wait_for(fork_and(
                [&] { return mpc_process_join(process, MPC_FOREVER) == MPC_ECHILD ? 0 : 1; })),
            0);
  EXPECT_EQ(exit_code_of(process), 7);
}

TEST_P(ProcessTest, P04SeveralThreadsMayJoinOneProcess) {
  GroupPage<Talk> talk;
  mpc_process* process = start(wait_to_be_told, talk.get());
  std::vector<std::thread> threads;
  std::atomic<int> joined{0};
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      int exit_code = 0;
      bool good = mpc_process_join(process, MPC_FOREVER) == MPC_OK &&
                  mpc_process_exit_code(process, &exit_code) == MPC_OK && exit_code == 3;
      joined += good ? 1 : 0;
    });
  }
  talk->go.set(1);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(joined, 4);
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

// --- P11, P12 ------------------------------------------------------------------------------------

TEST_P(ProcessTest, P11TerminateSendsSigterm) {
  GroupPage<Talk> talk;
  mpc_process* process = start(wait_for_a_signal, talk.get());
  EXPECT_EQ(mpc_process_terminate(process), MPC_OK);
  EXPECT_EQ(exit_code_of(process), -SIGTERM);
}

TEST_P(ProcessTest, P11TerminateLeavesAProcessAloneThatHasEnded) {
  mpc_process* process = start(return_seven);
  ASSERT_TRUE(ends_within(pid_of(process), kLongEnough));
  EXPECT_EQ(mpc_process_terminate(process), MPC_OK);
  EXPECT_EQ(exit_code_of(process), 7);
  EXPECT_EQ(mpc_process_terminate(process), MPC_OK);
}

TEST_P(ProcessTest, P11TerminateIsRefusedBeforeTheStart) {
  EXPECT_EQ(mpc_process_terminate(make(nullptr, process_options())), MPC_ESTATE);
}

int ignore_sigterm(const void* argument, size_t, const mpc_ref*, size_t) {
  signal(SIGTERM, SIG_IGN);
  return wait_to_be_told(argument, sizeof argument, nullptr, 0);
}

TEST_P(ProcessTest, P12KillEndsAProcessThatIgnoresSigterm) {
  GroupPage<Talk> talk;
  mpc_process* process = start(ignore_sigterm, talk.get());
  ASSERT_TRUE(talk->ready.reaches(1));
  EXPECT_EQ(mpc_process_terminate(process), MPC_OK);
  EXPECT_EQ(mpc_process_join(process, MPC_MILLISECONDS(20)), MPC_ETIMEDOUT);
  EXPECT_EQ(mpc_process_kill(process), MPC_OK);
  EXPECT_EQ(exit_code_of(process), -SIGKILL);
}

TEST_P(ProcessTest, P12KillEndsAProcessThatIsStopped) {
  GroupPage<Talk> talk;
  mpc_process* process = start(wait_for_a_signal, talk.get());
  kill(pid_of(process), SIGSTOP);
  ASSERT_TRUE(is_stopped(pid_of(process)));
  EXPECT_EQ(mpc_process_kill(process), MPC_OK);
  EXPECT_EQ(exit_code_of(process), -SIGKILL);
}

TEST_P(ProcessTest, P12OnlyTheProcessThatMadeItMaySignalIt) {
  GroupPage<Talk> talk;
  mpc_process* process = start(wait_to_be_told, talk.get());
  EXPECT_EQ(wait_for(fork_and([&] {
              return mpc_process_kill(process) == MPC_ECHILD &&
                             mpc_process_terminate(process) == MPC_ECHILD
                         ? 0
                         : 1;
            })),
            0);
  talk->go.set(1);
  EXPECT_EQ(exit_code_of(process), 3);
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

// --- P17: what a child begins with ---------------------------------------------------------------

int look_at_stdin(const void*, size_t, const mpc_ref*, size_t) {
  struct stat in;
  struct stat null;
  char byte;
  if (fstat(STDIN_FILENO, &in) != 0 || stat("/dev/null", &null) != 0) return 1;
  if (!S_ISCHR(in.st_mode) || in.st_rdev != null.st_rdev) return 2;
  return read(STDIN_FILENO, &byte, 1) == 0 ? 0 : 3;
}

TEST_P(ProcessTest, P17StandardInputIsDevNull) {
  int pipe_ends[2];
  ASSERT_EQ(pipe(pipe_ends), 0);
  int kept = dup(STDIN_FILENO);
  dup2(pipe_ends[0], STDIN_FILENO);
  EXPECT_EQ(exit_code_of(start(look_at_stdin)), 0);
  dup2(kept, STDIN_FILENO);
  for (int fd : {pipe_ends[0], pipe_ends[1], kept}) close(fd);
}

int look_at_signals(const void*, size_t, const mpc_ref*, size_t) {
  struct sigaction action;
  for (int handled : {SIGUSR1, SIGUSR2, SIGINT, SIGALRM}) {
    sigaction(handled, nullptr, &action);
    if (action.sa_handler != SIG_DFL) return handled;
  }
  sigset_t mask;
  pthread_sigmask(SIG_BLOCK, nullptr, &mask);
  if (sigismember(&mask, SIGWINCH) != 1 || sigismember(&mask, SIGUSR1) != 0) return 100;
  return 0;
}

TEST_P(ProcessTest, P17HandlersAreAtTheirDefaultsSigintIsNotIgnoredAndTheMaskIsTheParents) {
  struct sigaction handler = {};
  handler.sa_handler = [](int) {};
  struct sigaction information = {};
  information.sa_sigaction = [](int, siginfo_t*, void*) {};
  information.sa_flags = SA_SIGINFO;
  struct sigaction ignore = {};
  ignore.sa_handler = SIG_IGN;
  struct sigaction before[3];
  sigaction(SIGUSR1, &handler, &before[0]);
  sigaction(SIGUSR2, &information, &before[1]);
  sigaction(SIGINT, &ignore, &before[2]);
  sigset_t mask;
  sigset_t old_mask;
  sigemptyset(&mask);
  sigaddset(&mask, SIGWINCH);
  pthread_sigmask(SIG_BLOCK, &mask, &old_mask);
  EXPECT_EQ(exit_code_of(start(look_at_signals)), 0);
  struct sigaction after;
  sigaction(SIGINT, nullptr, &after);
  EXPECT_EQ(after.sa_handler, SIG_IGN) << "the parent's own is touched";
  pthread_sigmask(SIG_SETMASK, &old_mask, nullptr);
  sigaction(SIGUSR1, &before[0], nullptr);
  sigaction(SIGUSR2, &before[1], nullptr);
  sigaction(SIGINT, &before[2], nullptr);
}

int look_at_surroundings(const void*, size_t, const mpc_ref*, size_t) {
  char folder[200];
  mode_t mask = umask(0);
  return getcwd(folder, sizeof folder) != nullptr && strcmp(folder, "/") == 0 && mask == 027 &&
                 strcmp(getenv("MPC_TEST_WORD"), "heard") == 0
             ? 0
             : 1;
}

TEST_P(ProcessTest, P17FolderEnvironmentAndUmaskAreTheParentsAtTheStart) {
  char before[4096];
  ASSERT_NE(getcwd(before, sizeof before), nullptr);
  mpc_process* process = make(look_at_surroundings, process_options());
  ASSERT_EQ(chdir("/"), 0);
  mode_t mask = umask(027);
  setenv("MPC_TEST_WORD", "heard", 1);
  EXPECT_EQ(mpc_process_start(process), MPC_OK);
  EXPECT_EQ(exit_code_of(process), 0);
  unsetenv("MPC_TEST_WORD");
  umask(mask);
  ASSERT_EQ(chdir(before), 0);
}

int say_something(const void*, size_t, const mpc_ref*, size_t) {
  printf("child;");
  return 0;
}

MPC_PROGRAM(speaks_before_and_after) {
  setvbuf(stdout, nullptr, _IOFBF, 4096);
  printf("before;");
  mpc_process* process;
  MUST(mpc_process_create(say_something, nullptr, &process) == MPC_OK);
  MUST(mpc_process_start(process) == MPC_OK);
  MUST(mpc_process_join(process, MPC_FOREVER) == MPC_OK);
  printf("after;");
  return 0;
}

TEST(ProcessProgramTest, P17TextIsFlushedByTheChildAndTheParentsIsNotPrintedTwice) {
  EXPECT_EQ(run_program("speaks_before_and_after").output, "child;before;after;");
}

int start_on_a_thread_of_its_own(const void* argument, size_t, const mpc_ref*, size_t) {
  return argument_as<Talk*>(argument)->ready.reaches(1) && getpid() == gettid() ? 0 : 1;
}

TEST_P(ProcessTest, P17TheFunctionRunsOnTheMainThreadOfTheChild) {
  GroupPage<Talk> talk;
  talk->ready.set(1);
  mpc_process* process = nullptr;
  std::thread starter([&] { process = start(start_on_a_thread_of_its_own, talk.get()); });
  starter.join();
  EXPECT_EQ(exit_code_of(process), 0);
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

TEST(ProcessProgramTest, P19EveryDescriptorOfTheLibraryIsClosedOnExec) {
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

// --- P20 -----------------------------------------------------------------------------------------

std::atomic<uint32_t> interruptions{0};
Count* told_of_interruptions = nullptr;

// A storm of signals with a handler that interrupts system calls. It hits this process alone:
// timers are not inherited.
class SignalStorm {
 public:
  explicit SignalStorm(Count* count = nullptr) {
    told_of_interruptions = count;
    struct sigaction action = {};
    action.sa_handler = [](int) {
      interruptions.fetch_add(1);
      if (told_of_interruptions != nullptr) told_of_interruptions->add();
    };
    sigaction(SIGUSR2, &action, &before_);
    sigevent event = {};
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = SIGUSR2;
    timer_create(CLOCK_MONOTONIC, &event, &timer_);
    itimerspec often{{0, 300'000}, {0, 300'000}};
    timer_settime(timer_, 0, &often, nullptr);
  }
  ~SignalStorm() {
    timer_delete(timer_);
    sigaction(SIGUSR2, &before_, nullptr);
  }

 private:
  struct sigaction before_;
  timer_t timer_;
};

int wait_for_a_hundred(const void* argument, size_t, const mpc_ref*, size_t) {
  return argument_as<Talk*>(argument)->number.reaches(100) ? 5 : 1;
}

TEST_P(ProcessTest, P20JoinGoesOnAfterSignals) {
  GroupPage<Talk> talk;
  mpc_process* process = start(wait_for_a_hundred, talk.get());
  SignalStorm storm(&talk->number);
  EXPECT_EQ(mpc_process_join(process, MPC_FOREVER), MPC_OK);
  EXPECT_GE(talk->number.value(), 100u);
}

TEST_P(ProcessTest, P20JoinKeepsItsTimeoutThroughSignals) {
  GroupPage<Talk> talk;
  mpc_process* process = start(wait_to_be_told, talk.get());
  uint32_t signals = interruptions.load();
  {
    SignalStorm storm;
    int64_t before = now_ns();
    EXPECT_EQ(mpc_process_join(process, MPC_MILLISECONDS(60)), MPC_ETIMEDOUT);
    EXPECT_GE(now_ns() - before, MPC_MILLISECONDS(60) - kTolerance);
  }
  EXPECT_GT(interruptions.load(), signals);
  talk->go.set(1);
  EXPECT_EQ(exit_code_of(process), 3);
}

int square(const void* item, void* result) {
  int64_t number = *static_cast<const int64_t*>(item);
  *static_cast<int64_t*>(result) = number * number;
  return 0;
}

TEST_P(ProcessTest, P20StartsAndMapsGoOnThroughSignals) {
  std::vector<int64_t> items(20'000);
  std::vector<int64_t> results(items.size());
  for (size_t i = 0; i < items.size(); ++i) items[i] = static_cast<int64_t>(i);
  mpc_pool* pool = make_pool(2);
  uint32_t signals = interruptions.load();
  {
    SignalStorm storm;
    for (int round = 0; round < 5 || interruptions.load() < signals + 20; ++round) {
      std::fill(results.begin(), results.end(), -1);
      ASSERT_EQ(
          mpc_pool_map(pool, square, items.data(), items.size(), 8, results.data(), 8, nullptr),
          MPC_OK)
          << last_message();
      for (size_t i = 0; i < items.size(); ++i) ASSERT_EQ(results[i], items[i] * items[i]);
    }
    EXPECT_EQ(exit_code_of(start(return_seven)), 7);
  }
}

}  // namespace
}  // namespace mpc::test
