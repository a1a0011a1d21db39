// SPDX-License-Identifier: Apache-2.0
// What becomes of the children of a parent that ends.
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "support/start_method_test.hpp"

namespace mpc::test {
namespace {

// --- a parent that exits -------------------------------------------------------------------------

class ParentExitTest : public ProgramTest {};
MPC_UNDER_EVERY_START_METHOD(ParentExitTest);

mpc_process* begin(mpc_process_fn function, const mpc_process_options& options) {
  mpc_process* process;
  MUST(mpc_process_create(function, &options, &process) == MPC_OK);
  MUST(mpc_process_start(process) == MPC_OK);
  return process;
}

template <class T>
mpc_process* begin(mpc_process_fn function, const T& argument, uint32_t daemon,
                   uint32_t detach = 0) {
  mpc_process_options options = MPC_PROCESS_OPTIONS_INIT;
  options.daemon = daemon;
  options.detach = detach;
  options.argument = &argument;
  options.argument_size = sizeof argument;
  return begin(function, options);
}

void say(const char* text) {
  if (write(STDOUT_FILENO, text, strlen(text)) < 0) _exit(kMustFailed);
}

Count* exiting = nullptr;

// Lets children go on that wait for their parent to be at its end.
void tell_of_exit() { exiting->set(1); }

Count* count_for_exit() {
  exiting = in_group<Count>();
  atexit(tell_of_exit);
  return exiting;
}

int speak_when_the_parent_exits(const void* argument, size_t, const mpc_ref*, size_t) {
  if (!argument_as<Count*>(argument)->reaches(1)) return 1;
  say("child finished;");
  return 0;
}

MPC_PROGRAM(returns_from_main_with_a_child) {
  begin(speak_when_the_parent_exits, count_for_exit(), 2);
  return 0;
}

MPC_PROGRAM(calls_exit_with_a_child) {
  begin(speak_when_the_parent_exits, count_for_exit(), 2);
  exit(4);
}

TEST_P(ParentExitTest, P18ReturningFromMainWaitsForChildren) {
  Ended ended = run_program("returns_from_main_with_a_child");
  EXPECT_EQ(ended, 0);
  EXPECT_EQ(ended.output, "child finished;");
}

TEST_P(ParentExitTest, P18CallingExitWaitsForChildren) {
  Ended ended = run_program("calls_exit_with_a_child");
  EXPECT_EQ(ended, 4);
  EXPECT_EQ(ended.output, "child finished;");
}

struct Daemon {
  Count ready;
  Count pid;
};

int wait_for_sigterm(const void* argument, size_t, const mpc_ref*, size_t) {
  struct sigaction action = {};
  action.sa_handler = [](int) {
    say("terminated;");
    _exit(0);
  };
  sigaction(SIGTERM, &action, nullptr);
  argument_as<Daemon*>(argument)->ready.add();
  for (;;) pause();
}

int ignore_sigterm(const void* argument, size_t, const mpc_ref*, size_t) {
  signal(SIGTERM, SIG_IGN);
  argument_as<Daemon*>(argument)->pid.set(static_cast<uint32_t>(getpid()));
  argument_as<Daemon*>(argument)->ready.add();
  for (;;) pause();
}

MPC_PROGRAM(exits_with_a_daemon) {
  auto* daemon = in_group<Daemon>();
  begin(wait_for_sigterm, daemon, 1);
  MUST(daemon->ready.reaches(1));
  exit(0);
}

TEST_P(ParentExitTest, P18ExitTerminatesDaemons) {
  Ended ended = run_program("exits_with_a_daemon");
  EXPECT_EQ(ended, 0);
  EXPECT_EQ(ended.output, "terminated;");
}

MPC_PROGRAM(exits_with_a_deaf_daemon) {
  auto* daemon = in_group<Daemon>();
  begin(ignore_sigterm, daemon, 1);
  MUST(daemon->ready.reaches(1));
  printf("%u", daemon->pid.value());
  exit(0);
}

TEST_P(ParentExitTest, P18ExitEndsADaemonThatIgnoresSigterm) {
  Ended ended = run_program("exits_with_a_deaf_daemon");
  EXPECT_EQ(ended, 0);
  ASSERT_NE(ended.output, "");
  EXPECT_TRUE(ends_within(atoi(ended.output.c_str()), 0)) << "it still runs";
}

MPC_PROGRAM(exits_with_a_stopped_daemon) {
  auto* daemon = in_group<Daemon>();
  mpc_process* process = begin(wait_for_sigterm, daemon, 1);
  MUST(daemon->ready.reaches(1));
  int32_t pid;
  MUST(mpc_process_pid(process, &pid) == MPC_OK);
  kill(pid, SIGSTOP);
  MUST(is_stopped(pid));
  printf("%d", pid);
  exit(0);
}

TEST_P(ParentExitTest, P18ExitEndsADaemonThatIsStopped) {
  Ended ended = run_program("exits_with_a_stopped_daemon");
  EXPECT_EQ(ended, 0);
  EXPECT_TRUE(ends_within(atoi(ended.output.c_str()), 0)) << "it still runs";
}

int have_a_child_of_its_own(const void* argument, size_t, const mpc_ref*, size_t) {
  begin(speak_when_the_parent_exits, argument_as<Count*>(argument), 2);
  argument_as<Count*>(argument)->set(1);
  return 0;
}

MPC_PROGRAM(has_a_grandchild) {
  auto* go = in_group<Count>();
  mpc_process* process = begin(have_a_child_of_its_own, go, 2);
  MUST(mpc_process_join(process, MPC_FOREVER) == MPC_OK);
  say("child joined;");
  return 0;
}

TEST_P(ParentExitTest, P18AProcessThatReturnsWaitsForItsOwnChildren) {
  EXPECT_EQ(run_program("has_a_grandchild").output, "child finished;child joined;");
}

MPC_PROGRAM(exits_with_a_pool) {
  mpc_pool* pool;
  MUST(mpc_pool_create(nullptr, &pool) == MPC_OK);
  auto nothing = [](const void*, void*) { return 0; };
  MUST(mpc_pool_map(pool, nothing, nullptr, 10, 0, nullptr, 0, nullptr) == MPC_OK);
  return 3;
}

TEST_P(ParentExitTest, P18ExitWithALivePoolEnds) { EXPECT_EQ(run_program("exits_with_a_pool"), 3); }

// --- a parent that dies --------------------------------------------------------------------------

// Orphans become this process's children, so that it can wait for them.
class ParentDeathTest : public ProgramTest {
 protected:
  void SetUp() override {
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    machine_ = MachineState::now();
  }
  void TearDown() override {
    prctl(PR_SET_CHILD_SUBREAPER, 0);
    while (waitpid(-1, nullptr, 0) > 0) {
    }
    expect_nothing_left(machine_);
  }

  // Runs a program that prints pids and then dies; all of them must end by themselves.
  static void expect_all_end(const char* program, const Arguments& how, int exit_code) {
    Ended ended = run_program(program, how);
    int64_t died = now_ns();
    EXPECT_EQ(ended, exit_code);
    int count = 0;
    for (char* at = ended.output.data(); *at != '\0';) {
      pid_t pid = static_cast<pid_t>(strtol(at, &at, 10));
      if (*at == ' ') ++at;
      EXPECT_TRUE(ends_within(pid, MPC_SECONDS(10))) << "process " << pid << " lives on";
      ++count;
    }
    EXPECT_GT(count, 0);
    RecordProperty("microseconds", std::to_string((now_ns() - died) / 1000));
  }

  static void expect_detached_lives(const char* how, int exit_code) {
    Ended ended = run_program("leaves_a_detached_child", {how});
    EXPECT_EQ(ended, exit_code);
    pid_t pid = atoi(ended.output.c_str());
    ASSERT_GT(pid, 0);
    EXPECT_FALSE(ends_within(pid, kLongerThanAnyTick));
    kill(pid, SIGKILL);
    EXPECT_TRUE(ends_within(pid, kLongEnough));
  }

 private:
  MachineState machine_;
};
MPC_UNDER_EVERY_START_METHOD(ParentDeathTest);

void die(const std::string& how) {
  fflush(stdout);
  if (how == "kill") raise(SIGKILL);
  if (how == "quick exit") _exit(0);
  signal(SIGABRT, SIG_DFL);
  abort();
}

int wait_for_ever(const void* argument, size_t, const mpc_ref*, size_t) {
  argument_as<Daemon*>(argument)->ready.add();
  for (;;) pause();
}

MPC_PROGRAM(dies_with_children) {
  auto* page = in_group<Daemon>();
  for (uint32_t daemon : {1u, 2u, 2u}) {
    mpc_process* process = begin(wait_for_ever, page, daemon);
    int32_t pid;
    MUST(mpc_process_pid(process, &pid) == MPC_OK);
    printf("%d ", pid);
  }
  MUST(page->ready.reaches(3));
  die(arguments.at(0));
  return 0;
}

TEST_P(ParentDeathTest, ChildrenOfAKilledParentAreKilled) {
  expect_all_end("dies_with_children", {"kill"}, -SIGKILL);
}

TEST_P(ParentDeathTest, ChildrenOfAParentThatCallsTheQuickExitAreKilled) {
  expect_all_end("dies_with_children", {"quick exit"}, 0);
}

TEST_P(ParentDeathTest, ChildrenOfAParentThatAbortsAreKilled) {
  expect_all_end("dies_with_children", {"abort"}, -SIGABRT);
}

int have_a_child_and_wait(const void* argument, size_t, const mpc_ref*, size_t) {
  auto* page = argument_as<Daemon*>(argument);
  mpc_process* process = begin(wait_for_ever, page, 2);
  int32_t pid;
  MUST(mpc_process_pid(process, &pid) == MPC_OK);
  page->pid.set(static_cast<uint32_t>(pid));
  page->ready.add();
  for (;;) pause();
}

MPC_PROGRAM(dies_with_grandchildren) {
  auto* page = in_group<Daemon>();
  mpc_process* process = begin(have_a_child_and_wait, page, 2);
  int32_t pid;
  MUST(mpc_process_pid(process, &pid) == MPC_OK);
  MUST(page->ready.reaches(2));
  printf("%d %u", pid, page->pid.value());
  die(arguments.at(0));
  return 0;
}

TEST_P(ParentDeathTest, GrandchildrenOfAKilledParentAreKilled) {
  expect_all_end("dies_with_grandchildren", {"kill"}, -SIGKILL);
}

MPC_PROGRAM(dies_with_stopped_child) {
  auto* page = in_group<Daemon>();
  mpc_process* process = begin(wait_for_ever, page, 2);
  int32_t pid;
  MUST(mpc_process_pid(process, &pid) == MPC_OK);
  MUST(page->ready.reaches(1));
  kill(pid, SIGSTOP);
  MUST(is_stopped(pid));
  printf("%d", pid);
  die(arguments.at(0));
  return 0;
}

TEST_P(ParentDeathTest, AStoppedChildOfAKilledParentIsKilled) {
  expect_all_end("dies_with_stopped_child", {"kill"}, -SIGKILL);
}

MPC_PROGRAM(dies_with_a_pool) {
  mpc_pool* pool;
  mpc_pool_options options = MPC_POOL_OPTIONS_INIT;
  options.workers = 3;
  MUST(mpc_pool_create(&options, &pool) == MPC_OK);
  auto* arrived = in_group<Count>();
  Count* items[3] = {arrived, arrived, arrived};
  int32_t pids[3];
  auto tell_pid = [](const void* item, void* result) {
    *static_cast<int32_t*>(result) = getpid();
    auto* all = argument_as<Count*>(item);
    all->add();
    return all->reaches(3) ? 0 : 1;
  };
  mpc_map_options map = MPC_MAP_OPTIONS_INIT;
  map.chunk_size = 1;
  MUST(mpc_pool_map(pool, tell_pid, items, 3, sizeof items[0], pids, sizeof pids[0], &map) ==
       MPC_OK);
  printf("%d %d %d", pids[0], pids[1], pids[2]);
  die(arguments.at(0));
  return 0;
}

TEST_P(ParentDeathTest, WorkersOfAKilledOwnerAreKilled) {
  expect_all_end("dies_with_a_pool", {"kill"}, -SIGKILL);
}

MPC_PROGRAM(leaves_a_detached_child) {
  auto* page = in_group<Daemon>();
  mpc_process* process = begin(wait_for_ever, page, 2, 1);
  int32_t pid;
  MUST(mpc_process_pid(process, &pid) == MPC_OK);
  MUST(page->ready.reaches(1));
  printf("%d", pid);
  if (arguments.at(0) == "exit") exit(0);
  die(arguments.at(0));
  return 0;
}

TEST_P(ParentDeathTest, ADetachedChildOfAKilledParentLivesOn) {
  expect_detached_lives("kill", -SIGKILL);
}

TEST_P(ParentDeathTest, ADetachedChildOfAParentThatExitsLivesOn) {
  expect_detached_lives("exit", 0);
}

MPC_PROGRAM(starts_from_a_thread_that_ends) {
  auto* page = in_group<Daemon>();
  mpc_process* process = nullptr;
  std::thread starter([&] { process = begin(wait_for_ever, page, 1); });
  starter.join();
  MUST(page->ready.reaches(1));
  int32_t pid;
  MUST(mpc_process_pid(process, &pid) == MPC_OK);
  MUST(!ends_within(pid, kLongerThanAnyTick));
  return 0;
}

TEST_P(ParentDeathTest, AChildOutlivesTheThreadThatStartedIt) {
  EXPECT_EQ(run_program("starts_from_a_thread_that_ends"), 0);
}

// Whoever holds every descriptor of the parent's, as a child of its own fork does, keeps no
// orphans alive.
MPC_PROGRAM(dies_while_its_fork_lives) {
  auto* page = in_group<Daemon>();
  mpc_process* process = begin(wait_for_ever, page, 2);
  int32_t pid;
  MUST(mpc_process_pid(process, &pid) == MPC_OK);
  MUST(page->ready.reaches(1));
  pid_t copy = fork();
  if (copy == 0) {
    for (;;) pause();
  }
  printf("%d %d", pid, copy);
  die("kill");
  return 0;
}

TEST_P(ParentDeathTest, ChildrenAreKilledAlsoWhileAForkOfTheirParentLives) {
  Ended ended = run_program("dies_while_its_fork_lives");
  char* at = ended.output.data();
  pid_t child = static_cast<pid_t>(strtol(at, &at, 10));
  pid_t copy = static_cast<pid_t>(strtol(at, &at, 10));
  ASSERT_GT(copy, 0);
  EXPECT_TRUE(ends_within(child, MPC_SECONDS(10)));
  kill(copy, SIGKILL);
}

MPC_PROGRAM(closes_what_it_did_not_open) {
  auto* page = in_group<Daemon>();
  mpc_process* process = begin(wait_for_ever, page, 1);
  int32_t pid;
  MUST(mpc_process_pid(process, &pid) == MPC_OK);
  MUST(page->ready.reaches(1));
  for (int fd = 3; fd < 100; ++fd) close(fd);
  MUST(!ends_within(pid, kLongerThanAnyTick));
  mpc_process* another = begin(nullptr, 0, 2);
  MUST(mpc_process_join(another, MPC_FOREVER) == MPC_OK);
  return 0;
}

TEST_P(ParentDeathTest, AParentThatClosesEveryDescriptorKeepsItsChildren) {
  EXPECT_EQ(run_program("closes_what_it_did_not_open"), 0);
}

}  // namespace
}  // namespace mpc::test
