// SPDX-License-Identifier: Apache-2.0
// How a process ends, and what is told of it.
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "support/start_method_test.hpp"

namespace mpc::test {
namespace {

class ExitCodeTest : public StartMethodTest {};
MPC_UNDER_EVERY_START_METHOD(ExitCodeTest);

int return_argument(const void* argument, size_t, const mpc_ref*, size_t) {
  return argument_as<int>(argument);
}
int call_exit(const void* argument, size_t, const mpc_ref*, size_t) {
  exit(argument_as<int>(argument));
}
int call_quick_exit(const void* argument, size_t, const mpc_ref*, size_t) {
  _exit(argument_as<int>(argument));
}
// The sanitizers' handlers would write a report and exit instead.
int die_by_signal(const void* argument, size_t, const mpc_ref*, size_t) {
  int number = argument_as<int>(argument);
  signal(number, SIG_DFL);
  raise(number);
  return 0;
}
int call_abort(const void*, size_t, const mpc_ref*, size_t) {
  signal(SIGABRT, SIG_DFL);
  abort();
}

TEST_P(ExitCodeTest, P08IsWhatTheFunctionReturned) {
  for (int code : {0, 1, 7, 255}) EXPECT_EQ(exit_code_of(start(return_argument, code)), code);
}

TEST_P(ExitCodeTest, P08HasTheLowestEightBitsOfWhatWasReturned) {
  EXPECT_EQ(exit_code_of(start(return_argument, 256 + 3)), 3);
  EXPECT_EQ(exit_code_of(start(return_argument, 256)), 0);
  EXPECT_EQ(exit_code_of(start(return_argument, -1)), 255);
}

TEST_P(ExitCodeTest, P08IsWhatTheFunctionCalledExitWith) {
  EXPECT_EQ(exit_code_of(start(call_exit, 5)), 5);
  EXPECT_EQ(exit_code_of(start(call_exit, 0)), 0);
}

TEST_P(ExitCodeTest, P08IsWhatTheFunctionCalledTheQuickExitWith) {
  EXPECT_EQ(exit_code_of(start(call_quick_exit, 6)), 6);
}

TEST_P(ExitCodeTest, P08IsMinusTheSignalThatKilledIt) {
  for (int number : {SIGTERM, SIGKILL, SIGSEGV, SIGABRT, SIGINT, SIGBUS, SIGFPE, SIGUSR1}) {
    EXPECT_EQ(exit_code_of(start(die_by_signal, number)), -number) << strsignal(number);
  }
}

TEST_P(ExitCodeTest, P08IsMinusSigabrtAfterAnAbort) {
  EXPECT_EQ(exit_code_of(start(call_abort)), -SIGABRT);
}

TEST_P(ExitCodeTest, P08ThereIsNoneWhileTheProcessRuns) {
  GroupPage<Count> go;
  auto wait = [](const void* argument, size_t, const mpc_ref*, size_t) {
    return argument_as<Count*>(argument)->reaches(1) ? 4 : 1;
  };
  int exit_code = -77;
  mpc_process_options options = process_options();
  Count* count = go.get();
  options.argument = &count;
  options.argument_size = sizeof count;
  mpc_process* process = make(wait, options);
  EXPECT_EQ(mpc_process_exit_code(process, &exit_code), MPC_ESTATE);
  ASSERT_EQ(mpc_process_start(process), MPC_OK);
  EXPECT_EQ(mpc_process_exit_code(process, &exit_code), MPC_ESTATE);
  EXPECT_EQ(exit_code, -77);
  go->set(1);
  EXPECT_EQ(exit_code_of(process), 4);
}

TEST_P(ExitCodeTest, P08IsToldWithoutAJoin) {
  mpc_process* process = start(return_argument, 8);
  ASSERT_TRUE(ends_within(pid_of(process), kLongEnough));
  int exit_code = 0;
  EXPECT_EQ(mpc_process_exit_code(process, &exit_code), MPC_OK);
  EXPECT_EQ(exit_code, 8);
}

// What a wait for any child of the host finds: nothing where the children are a server's.
pid_t to_be_reaped(mpc_process* process) {
  return testing::TestWithParam<mpc_start_method>::GetParam() == MPC_START_FORKSERVER
             ? -1
             : pid_of(process);
}

TEST_P(ExitCodeTest, P08IsKnownEvenIfTheHostReapedTheProcess) {
  mpc_process* process = start(return_argument, 11);
  ASSERT_EQ(waitpid(-1, nullptr, 0), to_be_reaped(process));
  EXPECT_EQ(exit_code_of(process), 11);
}

TEST_P(ExitCodeTest, P08OfAKilledProcessThatTheHostReapedIsTheSignalOr255) {
  mpc_process* process = start(die_by_signal, SIGKILL);
  ASSERT_EQ(waitpid(-1, nullptr, 0), to_be_reaped(process));
  int exit_code = exit_code_of(process);
  EXPECT_TRUE(exit_code == -SIGKILL || exit_code == 255) << exit_code;
}

TEST_P(ExitCodeTest, P08IsKnownWhereSigchldIsIgnored) {
  struct sigaction ignore = {};
  struct sigaction before;
  ignore.sa_handler = SIG_IGN;
  sigaction(SIGCHLD, &ignore, &before);
  mpc_process* process = start(return_argument, 12);
  EXPECT_EQ(exit_code_of(process), 12);
  sigaction(SIGCHLD, &before, nullptr);
}

TEST_P(ExitCodeTest, P08JoinReturnsWhereAThreadOfTheHostReapsEverything) {
  std::atomic<bool> stop{false};
  std::thread reaper([&] {
    while (!stop.load()) {
      if (waitpid(-1, nullptr, 0) < 0) std::this_thread::yield();
    }
  });
  for (int i = 0; i < 20; ++i) ASSERT_EQ(exit_code_of(start(return_argument, 40 + i)), 40 + i);
  stop.store(true);
  reaper.join();
}

}  // namespace
}  // namespace mpc::test
