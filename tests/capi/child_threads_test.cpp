// SPDX-License-Identifier: Apache-2.0
// A child whose function leaves by pthread_exit(), and how a child writes its text at the end.
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "capi/process_setup_test.hpp"
#include "support/start_method_test.hpp"
#include "support/talk.hpp"

namespace mpc::test {
namespace {

class ChildThreadsTest : public StartMethodTest {
 protected:
  // Its output goes to pipe number 1.
  mpc_process* start_speaking(mpc_process_fn function, Talk* talk) {
    mpc_process_options options = options_with(talk, GetParam());
    options.standard_output = stream_of(MPC_STDIO_PIPE);
    return start(function, options);
  }
};
MPC_UNDER_EVERY_START_METHOD(ChildThreadsTest);

void* speak_when_told(void* argument) {
  auto* talk = static_cast<Talk*>(argument);
  talk->ready.add();
  if (talk->go.reaches(1)) printf("thread;");
  return nullptr;
}

void start_thread(void* (*body)(void*), Talk* talk) {
  pthread_t thread;
  MUST(pthread_create(&thread, nullptr, body, talk) == 0);
  MUST(pthread_detach(thread) == 0);
}

int leave_two_threads(const void* argument, size_t, const mpc_ref*, size_t) {
  Talk* talk = argument_as<Talk*>(argument);
  start_thread(speak_when_told, talk);
  start_thread(speak_when_told, talk);
  printf("function;");
  pthread_exit(nullptr);
}

TEST_P(ChildThreadsTest, P17AChildWhoseFunctionCallsPthreadExitLivesUntilItsLastThreadHasEnded) {
  GroupPage<Talk> talk;
  mpc_process* process = start_speaking(leave_two_threads, talk.get());
  ASSERT_TRUE(talk->ready.reaches(2));
  EXPECT_EQ(mpc_process_join(process, kLongerThanAnyTick), MPC_ETIMEDOUT);
  talk->go.set(1);
  EXPECT_EQ(exit_code_of(process), 0);
  EXPECT_EQ(read_all(pipe_of(process, 1)), "function;thread;thread;");
}

int leave_alone(const void*, size_t, const mpc_ref*, size_t) {
  printf("function;");
  pthread_exit(nullptr);
}

TEST_P(ChildThreadsTest, P17AChildWithoutThreadsWhoseFunctionCallsPthreadExitEndsWith0) {
  GroupPage<Talk> talk;
  mpc_process* process = start_speaking(leave_alone, talk.get());
  EXPECT_EQ(exit_code_of(process), 0);
  EXPECT_EQ(read_all(pipe_of(process, 1)), "function;");
}

TEST_P(ChildThreadsTest, P17PthreadExitOfTheFunctionIsToldEvenIfTheHostReapedTheChild) {
  mpc_process* process = start(leave_alone);
  ASSERT_TRUE(ends_within(pid_of(process), kLongEnough));
  waitpid(pid_of(process), nullptr, 0);
  EXPECT_EQ(exit_code_of(process), 0);
}

int leave_a_child(const void* argument, size_t, const mpc_ref*, size_t) {
  Talk* talk = argument_as<Talk*>(argument);
  mpc_process_options options = options_with(talk, talk->method);
  mpc_process* process = nullptr;
  MUST(mpc_process_create(wait_to_be_told, &options, &process) == MPC_OK);
  MUST(mpc_process_start(process) == MPC_OK);
  pthread_exit(nullptr);
}

TEST_P(ChildThreadsTest, P17AChildWhoseFunctionCallsPthreadExitWaitsForItsChildren) {
  GroupPage<Talk> talk;
  talk->method = GetParam();
  mpc_process* process = start(leave_a_child, talk.get());
  ASSERT_TRUE(talk->ready.reaches(1));
  EXPECT_EQ(mpc_process_join(process, kLongerThanAnyTick), MPC_ETIMEDOUT);
  talk->go.set(1);
  EXPECT_EQ(exit_code_of(process), 0);
}

pthread_t function_thread;

void* cancel_function(void* argument) {
  MUST(pthread_cancel(function_thread) == 0);
  return speak_when_told(argument);
}

int wait_to_be_cancelled(const void* argument, size_t, const mpc_ref*, size_t) {
  function_thread = pthread_self();
  start_thread(cancel_function, argument_as<Talk*>(argument));
  for (;;) pause();
}

TEST_P(ChildThreadsTest, P17AChildWhoseFunctionIsCancelledLivesUntilItsLastThreadHasEnded) {
  GroupPage<Talk> talk;
  mpc_process* process = start_speaking(wait_to_be_cancelled, talk.get());
  ASSERT_TRUE(talk->ready.reaches(1));
  talk->go.set(1);
  EXPECT_EQ(exit_code_of(process), 0);
  EXPECT_EQ(read_all(pipe_of(process, 1)), "thread;");
}

int return_with_a_thread(const void* argument, size_t, const mpc_ref*, size_t) {
  Talk* talk = argument_as<Talk*>(argument);
  start_thread(speak_when_told, talk);
  return talk->ready.reaches(1) ? 6 : 1;
}

TEST_P(ChildThreadsTest, P17AFunctionThatReturnsEndsItsThreads) {
  GroupPage<Talk> talk;
  EXPECT_EQ(exit_code_of(start(return_with_a_thread, talk.get())), 6);
}

// Nothing in it could be cancelled; what comes after it could.
int return_with_a_cancellation_pending(const void*, size_t, const mpc_ref*, size_t) {
  MUST(pthread_cancel(pthread_self()) == 0);
  printf("function;");
  return 6;
}

TEST_P(ChildThreadsTest, P17ACancellationThatComesTooLateForTheFunctionChangesNothing) {
  GroupPage<Talk> talk;
  mpc_process* process = start_speaking(return_with_a_cancellation_pending, talk.get());
  EXPECT_EQ(exit_code_of(process), 6);
  EXPECT_EQ(read_all(pipe_of(process, 1)), "function;");
}

// --- text that cannot be written -----------------------------------------------------------------

int say_it_to_nobody(const void*, size_t, const mpc_ref*, size_t) {
  printf("nobody hears this");
  close(STDOUT_FILENO);
  return 9;
}

TEST_P(ChildThreadsTest, P17AFlushThatFailsDoesNotChangeTheExitCode) {
  EXPECT_EQ(exit_code_of(start(say_it_to_nobody)), 9);
}

int say_and_return_nine(const void*, size_t, const mpc_ref*, size_t) {
  printf("nobody hears this");
  fprintf(stderr, "nor this");
  return 9;
}

TEST_P(ChildThreadsTest, P17AFlushIntoAFullDeviceDoesNotChangeTheExitCode) {
  mpc_process_options options = process_options();
  options.standard_output = stream_of(MPC_STDIO_FILE, "/dev/full");
  options.standard_error = stream_of(MPC_STDIO_FILE, "/dev/full");
  EXPECT_EQ(exit_code_of(start(say_and_return_nine, options)), 9);
}

TEST_P(ChildThreadsTest, P17AFlushIntoAPipeThatNobodyReadsDoesNotChangeTheExitCode) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  close(ends[0]);
  mpc_process_options options = process_options();
  options.standard_output = stream_of(ends[1]);
  mpc_process* process = start(
      [](const void*, size_t, const mpc_ref*, size_t) {
        signal(SIGPIPE, SIG_IGN);
        printf("nobody hears this");
        return 9;
      },
      options);
  close(ends[1]);
  EXPECT_EQ(exit_code_of(process), 9);
}

}  // namespace
}  // namespace mpc::test
