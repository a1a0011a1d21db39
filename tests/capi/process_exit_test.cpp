// SPDX-License-Identifier: Apache-2.0
// In which order a process leaves: its finalizers, its daemons, its other children.
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/start_method_test.hpp"

namespace mpc::test {
namespace {

class FinalizerTest : public testing::TestWithParam<mpc_start_method> {
 protected:
  Ended run(const char* program, const char* how = "") {
    return run_program(program, {std::to_string(GetParam()), how});
  }
};
MPC_UNDER_EVERY_START_METHOD(FinalizerTest);

void say(const std::string& text) {
  if (write(STDOUT_FILENO, text.data(), text.size()) < 0) _exit(kMustFailed);
}

void say_word(void* word) { say(static_cast<const char*>(word)); }

void add(const char* word, int priority, mpc_finalizer** out_finalizer = nullptr) {
  MUST(mpc_finalizer_add(say_word, const_cast<char*>(word), priority, out_finalizer) == MPC_OK);
}

template <class T>
mpc_process* begin(const Arguments& arguments, mpc_process_fn function, const T& argument,
                   uint32_t daemon) {
  mpc_process_options options = MPC_PROCESS_OPTIONS_INIT;
  options.start_method = static_cast<uint32_t>(atoi(arguments.at(0).c_str()));
  options.daemon = daemon;
  options.argument = &argument;
  options.argument_size = sizeof argument;
  mpc_process* process = nullptr;
  MUST(mpc_process_create(function, &options, &process) == MPC_OK);
  MUST(mpc_process_start(process) == MPC_OK);
  return process;
}

// Lies in group memory, which a program that exits keeps to the end.
struct Page {
  Count ready;
  Count go;
};

Page* new_page() {
  void* memory = nullptr;
  MUST(mpc_group_alloc(sizeof(Page), &memory) == MPC_OK);
  MUST(mpc_group_publish(memory) == MPC_OK);
  return new (memory) Page();
}

int say_when_terminated(const void* argument, size_t, const mpc_ref*, size_t) {
  signal(SIGTERM, [](int) {
    say("daemon;");
    _exit(0);
  });
  argument_as<Page*>(argument)->ready.add();
  for (;;) pause();
}

int say_when_told(const void* argument, size_t, const mpc_ref*, size_t) {
  argument_as<Page*>(argument)->ready.add();
  if (!argument_as<Page*>(argument)->go.reaches(1)) return 1;
  say("child;");
  return 0;
}

Page* daemons_page = nullptr;

// The child that is joined goes on only when the daemon is gone.
int say_when_the_daemon_is_gone(const void* argument, size_t, const mpc_ref*, size_t) {
  struct Pair {
    Page* page;
    int32_t daemon;
  };
  Pair pair = argument_as<Pair>(argument);
  pair.page->ready.add();
  if (!ends_within(pair.daemon, kLongEnough)) return 1;
  say("child;");
  return 0;
}

MPC_PROGRAM(leaves_with_all_there_is) {
  Page* page = new_page();
  mpc_process* daemon = begin(arguments, say_when_terminated, page, 1);
  struct {
    Page* page;
    int32_t daemon;
  } pair{page, 0};
  MUST(mpc_process_pid(daemon, &pair.daemon) == MPC_OK);
  begin(arguments, say_when_the_daemon_is_gone, pair, 2);
  MUST(page->ready.reaches(2));
  atexit([] { say("atexit;"); });
  add("-100;", -100);
  add("10;", 10);
  add("0a;", 0);
  add("-5;", -5);
  add("15;", 15);
  add("0b;", 0);
  add("-1a;", -1);
  add("-1b;", -1);
  if (arguments.at(1) == "exit") exit(4);
  return 4;
}

constexpr const char* kWholeOrder = "atexit;15;10;0b;0a;daemon;child;-1b;-1a;-5;-100;";

TEST_P(FinalizerTest, P18AParentThatReturnsRunsFinalizersAndEndsItsChildrenInBetween) {
  Ended ended = run("leaves_with_all_there_is", "return");
  EXPECT_EQ(ended, 4);
  EXPECT_EQ(ended.output, kWholeOrder);
}

TEST_P(FinalizerTest, P18AParentThatCallsExitDoesTheSame) {
  Ended ended = run("leaves_with_all_there_is", "exit");
  EXPECT_EQ(ended, 4);
  EXPECT_EQ(ended.output, kWholeOrder);
}

int add_finalizers_and_leave(const void* argument, size_t, const mpc_ref*, size_t) {
  add("child's last;", -1);
  add("child's first;", 0);
  if (argument_as<int>(argument) == 1) exit(6);
  if (argument_as<int>(argument) == 2) _exit(6);
  return 6;
}

MPC_PROGRAM(has_a_child_with_finalizers) {
  add("parent's;", 0);
  int exit_code = 0;
  mpc_process* process =
      begin(arguments, add_finalizers_and_leave, atoi(arguments.at(1).c_str()), 2);
  MUST(mpc_process_join(process, MPC_FOREVER) == MPC_OK);
  MUST(mpc_process_exit_code(process, &exit_code) == MPC_OK);
  say("joined;");
  return exit_code;
}

TEST_P(FinalizerTest, P18AChildThatReturnsRunsItsFinalizersAndNotItsParents) {
  Ended ended = run("has_a_child_with_finalizers", "0");
  EXPECT_EQ(ended, 6);
  EXPECT_EQ(ended.output, "child's first;child's last;joined;parent's;");
}

TEST_P(FinalizerTest, P18AChildThatCallsExitRunsItsFinalizers) {
  Ended ended = run("has_a_child_with_finalizers", "1");
  EXPECT_EQ(ended, 6);
  EXPECT_EQ(ended.output, "child's first;child's last;joined;parent's;");
}

TEST_P(FinalizerTest, P18AChildThatCallsTheQuickExitRunsNone) {
  Ended ended = run("has_a_child_with_finalizers", "2");
  EXPECT_EQ(ended, 6);
  EXPECT_EQ(ended.output, "joined;parent's;");
}

// A child that has children itself ends them between its own finalizers.
int have_a_child(const void* argument, size_t, const mpc_ref*, size_t) {
  struct Pair {
    Page* page;
    int32_t method;
  };
  Pair pair = argument_as<Pair>(argument);
  begin({std::to_string(pair.method)}, say_when_told, pair.page, 2);
  daemons_page = pair.page;
  MUST(mpc_finalizer_add([](void*) { daemons_page->go.set(1); }, nullptr, 0, nullptr) == MPC_OK);
  add("middle first;", 1);
  add("middle last;", -1);
  return 0;
}

MPC_PROGRAM(has_a_grandchild_that_waits_for_a_finalizer) {
  struct {
    Page* page;
    int32_t method;
  } pair{new_page(), atoi(arguments.at(0).c_str())};
  mpc_process* process = begin(arguments, have_a_child, pair, 2);
  MUST(mpc_process_join(process, MPC_FOREVER) == MPC_OK);
  return 0;
}

TEST_P(FinalizerTest, P18AChildEndsItsOwnChildrenBetweenItsFinalizers) {
  EXPECT_EQ(run("has_a_grandchild_that_waits_for_a_finalizer").output,
            "middle first;child;middle last;");
}

class FinalizerProgramTest : public ProgramTest {};
MPC_UNDER_EVERY_START_METHOD(FinalizerProgramTest);

MPC_PROGRAM(forks_with_finalizers) {
  add("once;", 0);
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    if (arguments.at(1) == "own") add("the fork's;", 0);
    exit(0);
  }
  MUST(wait_for(child) == 0);
  return 0;
}

TEST_P(FinalizerProgramTest, P18AForkOfTheProgramsOwnDoesNotRunThem) {
  EXPECT_EQ(run_program("forks_with_finalizers", {"", ""}).output, "once;");
}

TEST_P(FinalizerProgramTest, P18AForkOfTheProgramsOwnRunsThoseThatItAddedItself) {
  EXPECT_EQ(run_program("forks_with_finalizers", {"", "own"}).output, "the fork's;once;");
}

MPC_PROGRAM(cancels) {
  mpc_finalizer* first = nullptr;
  mpc_finalizer* second = nullptr;
  add("kept;", 0, &first);
  add("cancelled;", 5, &second);
  MUST(mpc_finalizer_cancel(second) == MPC_OK);
  MUST(mpc_finalizer_cancel(second) == MPC_EINVAL);
  MUST(mpc_finalizer_cancel(nullptr) == MPC_OK);
  return 0;
}

TEST_P(FinalizerProgramTest, P18AFinalizerThatWasCancelledDoesNotRun) {
  Ended ended = run_program("cancels");
  EXPECT_EQ(ended, 0);
  EXPECT_EQ(ended.output, "kept;");
}

mpc_finalizer* cancelled_later = nullptr;
mpc_finalizer* itself = nullptr;

MPC_PROGRAM(cancels_while_it_leaves) {
  add("cancelled;", 0, &cancelled_later);
  auto cancel = [](void*) {
    if (mpc_finalizer_cancel(cancelled_later) == MPC_OK) say("in time;");
    if (mpc_finalizer_cancel(itself) == MPC_ESTATE) say("too late;");
  };
  MUST(mpc_finalizer_add(cancel, nullptr, 1, &itself) == MPC_OK);
  return 0;
}

TEST_P(FinalizerProgramTest, P18AFinalizerMayCancelAnotherButNotItself) {
  EXPECT_EQ(run_program("cancels_while_it_leaves").output, "in time;too late;");
}

MPC_PROGRAM(adds_while_it_leaves) {
  auto add_more = [](void*) {
    add("high;", 99);
    add("low;", -9);
    say("first part;");
  };
  auto add_too_late = [](void*) { add("never;", 5); };
  MUST(mpc_finalizer_add(add_more, nullptr, 0, nullptr) == MPC_OK);
  MUST(mpc_finalizer_add(add_too_late, nullptr, -1, nullptr) == MPC_OK);
  add("last;", -10);
  return 0;
}

TEST_P(FinalizerProgramTest, P18WhatAFinalizerOfTheFirstPartAddsRunsInTheSecond) {
  EXPECT_EQ(run_program("adds_while_it_leaves").output, "first part;high;low;last;");
}

MPC_PROGRAM(maps_in_a_finalizer) {
  auto map = [](void*) {
    mpc_pool* pool = nullptr;
    auto nothing = [](const void*, void*) { return 0; };
    MUST(mpc_pool_create(nullptr, &pool) == MPC_OK);
    MUST(mpc_pool_map(pool, nothing, nullptr, 10, 0, nullptr, 0, nullptr) == MPC_OK);
    MUST(mpc_pool_destroy(pool) == MPC_OK);
    say("mapped;");
  };
  MUST(mpc_finalizer_add(map, nullptr, 0, nullptr) == MPC_OK);
  return 0;
}

TEST_P(FinalizerProgramTest, P18AFinalizerMayStartProcesses) {
  Ended ended = run_program("maps_in_a_finalizer");
  EXPECT_EQ(ended, 0);
  EXPECT_EQ(ended.output, "mapped;");
}

TEST(FinalizerMisuseTest, P18RefusesWhatIsNoFinalizer) {
  EXPECT_EQ(mpc_finalizer_add(nullptr, nullptr, 0, nullptr), MPC_EINVAL);
  for (uint64_t value : {uint64_t{1}, uint64_t{32} << 24, UINT64_MAX}) {
    EXPECT_EQ(mpc_finalizer_cancel(reinterpret_cast<mpc_finalizer*>(value)), MPC_EINVAL);
  }
}

TEST(FinalizerMisuseTest, P18AForkIsToldThatAFinalizerIsItsParents) {
  mpc_finalizer* finalizer = nullptr;
  ASSERT_EQ(mpc_finalizer_add([](void*) {}, nullptr, 0, &finalizer), MPC_OK);
  EXPECT_EQ(
      wait_for(fork_and([&] { return mpc_finalizer_cancel(finalizer) == MPC_ECHILD ? 0 : 1; })), 0);
  EXPECT_EQ(mpc_finalizer_cancel(finalizer), MPC_OK);
}

}  // namespace
}  // namespace mpc::test
