// SPDX-License-Identifier: Apache-2.0
// What a child begins with.
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <thread>

#include "support/start_method_test.hpp"
#include "support/talk.hpp"

namespace mpc::test {
namespace {

class ProcessBeginTest : public StartMethodTest {};
MPC_UNDER_EVERY_START_METHOD(ProcessBeginTest);

class ProcessBeginProgramTest : public ProgramTest {};
MPC_UNDER_EVERY_START_METHOD(ProcessBeginProgramTest);

// --- M11 -----------------------------------------------------------------------------------------

int number_in_memory = 1;

int add_to_number(const void*, size_t, const mpc_ref*, size_t) { return ++number_in_memory; }

TEST_P(ProcessBeginTest, M11ForkGivesTheChildACopyOfTheMemoryAsItWasAtStart) {
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

TEST_P(ProcessBeginProgramTest, M11TheParentsExitFunctionsDoNotRunInTheChild) {
  EXPECT_EQ(run_program("has_an_exit_function").output, "exit function;");
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

TEST_P(ProcessBeginTest, P17StandardInputIsDevNull) {
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

TEST_P(ProcessBeginTest, P17HandlersAreAtTheirDefaultsSigintIsNotIgnoredAndTheMaskIsTheParents) {
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

TEST_P(ProcessBeginTest, P17FolderEnvironmentAndUmaskAreTheParentsAtTheStart) {
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

TEST_P(ProcessBeginProgramTest, P17TextIsFlushedByTheChildAndTheParentsIsNotPrintedTwice) {
  EXPECT_EQ(run_program("speaks_before_and_after").output, "child;before;after;");
}

int start_on_a_thread_of_its_own(const void* argument, size_t, const mpc_ref*, size_t) {
  return argument_as<Talk*>(argument)->ready.reaches(1) && getpid() == gettid() ? 0 : 1;
}

TEST_P(ProcessBeginTest, P17TheFunctionRunsOnTheMainThreadOfTheChild) {
  GroupPage<Talk> talk;
  talk->ready.set(1);
  mpc_process* process = nullptr;
  std::thread starter([&] { process = start(start_on_a_thread_of_its_own, talk.get()); });
  starter.join();
  EXPECT_EQ(exit_code_of(process), 0);
}

}  // namespace
}  // namespace mpc::test
