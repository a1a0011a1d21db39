// SPDX-License-Identifier: Apache-2.0
// Daemon, sentinel and interrupt of a process.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/start_method_test.hpp"
#include "support/talk.hpp"

namespace mpc::test {
namespace {

class ProcessSurfaceTest : public StartMethodTest {};
MPC_UNDER_EVERY_START_METHOD(ProcessSurfaceTest);

bool is_readable(int fd, int64_t timeout_ns) {
  pollfd question{fd, POLLIN, 0};
  return poll(&question, 1, static_cast<int>(timeout_ns / 1'000'000)) == 1 &&
         (question.revents & POLLIN) != 0;
}

// --- P06 -----------------------------------------------------------------------------------------

int tell_whether_daemon(const void*, size_t, const mpc_ref*, size_t) {
  return mpc_process_current_is_daemon();
}

int daemon_of(mpc_process* process) {
  int daemon = -1;
  EXPECT_EQ(mpc_process_daemon(process, &daemon), MPC_OK) << last_message();
  return daemon;
}

TEST_P(ProcessSurfaceTest, P06WhetherItIsADaemonCanBeChangedBeforeTheStart) {
  GroupPage<Talk> talk;
  Talk* page = talk.get();
  mpc_process* process = make(tell_whether_daemon, options_with(page, GetParam()));
  EXPECT_EQ(daemon_of(process), 0);
  ASSERT_EQ(mpc_process_set_daemon(process, 7), MPC_OK);
  EXPECT_EQ(daemon_of(process), 1);
  ASSERT_EQ(mpc_process_start(process), MPC_OK);
  EXPECT_EQ(exit_code_of(process), 1) << "the child knows it too";
  process = make(tell_whether_daemon, options_with(page, GetParam()));
  ASSERT_EQ(mpc_process_set_daemon(process, 1), MPC_OK);
  ASSERT_EQ(mpc_process_set_daemon(process, 0), MPC_OK);
  ASSERT_EQ(mpc_process_start(process), MPC_OK);
  EXPECT_EQ(exit_code_of(process), 0);
}

TEST_P(ProcessSurfaceTest, P06WhetherItIsADaemonIsSettledByTheStart) {
  GroupPage<Talk> talk;
  mpc_process* process = start(wait_to_be_told, talk.get());
  EXPECT_EQ(mpc_process_set_daemon(process, 1), MPC_ESTATE);
  EXPECT_EQ(daemon_of(process), 0);
  talk->go.set(1);
  EXPECT_EQ(exit_code_of(process), 3);
  EXPECT_EQ(mpc_process_set_daemon(process, 1), MPC_ESTATE);
}

// --- P10 -----------------------------------------------------------------------------------------

int sentinel_of(mpc_process* process) {
  int fd = -1;
  EXPECT_EQ(mpc_process_sentinel(process, &fd), MPC_OK) << last_message();
  return fd;
}

TEST_P(ProcessSurfaceTest, P10TheSentinelIsReadableOnceTheProcessHasEnded) {
  GroupPage<Talk> talk;
  mpc_process* process = start(wait_to_be_told, talk.get());
  ASSERT_TRUE(talk->ready.reaches(1));
  int fd = sentinel_of(process);
  EXPECT_FALSE(is_readable(fd, 0));
  talk->go.set(1);
  EXPECT_TRUE(is_readable(fd, kLongEnough));
  EXPECT_EQ(exit_code_of(process), 3);
  EXPECT_TRUE(is_readable(fd, 0)) << "also when it was joined";
  close(fd);
}

TEST_P(ProcessSurfaceTest, P10TheSentinelOfAProcessThatWasJoinedIsReadable) {
  mpc_process* process = start(return_five);
  EXPECT_EQ(exit_code_of(process), 5);
  int fd = sentinel_of(process);
  EXPECT_TRUE(is_readable(fd, 0));
  close(fd);
}

TEST_P(ProcessSurfaceTest, P10TheSentinelOfAProcessThatTheHostReapedIsReadable) {
  mpc_process* process = start(return_five);
  ASSERT_TRUE(ends_within(pid_of(process), kLongEnough));
  waitpid(pid_of(process), nullptr, WNOHANG);
  int fd = sentinel_of(process);
  EXPECT_TRUE(is_readable(fd, 0));
  close(fd);
}

TEST_P(ProcessSurfaceTest, P10ThereIsNoSentinelBeforeTheStart) {
  int fd = -5;
  EXPECT_EQ(mpc_process_sentinel(make(nullptr, process_options()), &fd), MPC_ESTATE);
  EXPECT_EQ(fd, -5);
}

TEST_P(ProcessSurfaceTest, P10ASentinelIsTheCallersClosedOnExecAndNoStandardDescriptor) {
  GroupPage<Talk> talk;
  mpc_process* process = start(wait_to_be_told, talk.get());
  int kept = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 100);
  close(STDIN_FILENO);
  int one = sentinel_of(process);
  int other = sentinel_of(process);
  if (kept >= 0) dup2(kept, STDIN_FILENO);
  if (kept >= 0) close(kept);
  EXPECT_GT(one, STDERR_FILENO);
  EXPECT_NE(one, other);
  EXPECT_EQ(fcntl(one, F_GETFD), FD_CLOEXEC);
  close(one);
  talk->go.set(1);
  EXPECT_TRUE(is_readable(other, kLongEnough));
  close(other);
  EXPECT_EQ(exit_code_of(process), 3);
}

// --- P13 -----------------------------------------------------------------------------------------

TEST_P(ProcessSurfaceTest, P13InterruptSendsSigint) {
  GroupPage<Talk> talk;
  mpc_process* process = start(wait_for_a_signal, talk.get());
  ASSERT_TRUE(talk->ready.reaches(1));
  EXPECT_EQ(mpc_process_interrupt(process), MPC_OK);
  EXPECT_EQ(exit_code_of(process), -SIGINT);
  EXPECT_EQ(mpc_process_interrupt(process), MPC_OK) << "it has ended";
}

int exit_with_1_when_interrupted(const void* argument, size_t, const mpc_ref*, size_t) {
  signal(SIGINT, [](int) { _exit(1); });
  return wait_for_a_signal(argument, 0, nullptr, 0);
}

TEST_P(ProcessSurfaceTest, P13AProcessMayHandleAnInterrupt) {
  GroupPage<Talk> talk;
  mpc_process* process = start(exit_with_1_when_interrupted, talk.get());
  ASSERT_TRUE(talk->ready.reaches(1));
  EXPECT_EQ(mpc_process_interrupt(process), MPC_OK);
  EXPECT_EQ(exit_code_of(process), 1);
}

// --- P14 -----------------------------------------------------------------------------------------

TEST_P(ProcessSurfaceTest, P14AClosedProcessRefusesTheseCallsAsWell) {
  mpc_process* process = start(return_five);
  EXPECT_EQ(exit_code_of(process), 5);
  ASSERT_EQ(mpc_process_close(process), MPC_OK);
  int number;
  mpc_process_usage usage = MPC_PROCESS_USAGE_INIT;
  EXPECT_EQ(mpc_process_interrupt(process), MPC_ESTATE);
  EXPECT_EQ(mpc_process_stop(process, 0, nullptr), MPC_ESTATE);
  EXPECT_EQ(mpc_process_terminate_tree(process), MPC_ESTATE);
  EXPECT_EQ(mpc_process_kill_tree(process), MPC_ESTATE);
  EXPECT_EQ(mpc_process_sentinel(process, &number), MPC_ESTATE);
  EXPECT_EQ(mpc_process_detach(process), MPC_ESTATE);
  EXPECT_EQ(mpc_process_usage_get(process, &usage), MPC_ESTATE);
  EXPECT_EQ(mpc_process_daemon(process, &number), MPC_ESTATE);
  EXPECT_EQ(mpc_process_set_daemon(process, 1), MPC_ESTATE);
}

TEST_P(ProcessSurfaceTest, TheseCallsAreRefusedBeforeTheStart) {
  mpc_process* process = make(nullptr, process_options());
  mpc_process_usage usage = MPC_PROCESS_USAGE_INIT;
  EXPECT_EQ(mpc_process_interrupt(process), MPC_ESTATE);
  EXPECT_EQ(mpc_process_stop(process, 0, nullptr), MPC_ESTATE);
  EXPECT_EQ(mpc_process_terminate_tree(process), MPC_ESTATE);
  EXPECT_EQ(mpc_process_kill_tree(process), MPC_ESTATE);
  EXPECT_EQ(mpc_process_usage_get(process, &usage), MPC_ESTATE);
}

}  // namespace
}  // namespace mpc::test
