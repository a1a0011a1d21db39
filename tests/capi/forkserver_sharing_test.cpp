// SPDX-License-Identifier: Apache-2.0
// One fork server for a tree of processes: who asks it, whose life it is tied to, and what becomes
// of the others when somebody is killed.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <mpc/mpc.h>

#include "capi/forkserver_test.hpp"
#include "support/subreaper.hpp"

namespace mpc::test {
namespace {

// Each level notes its server and has the next one started, until none is left.
struct Levels {
  static constexpr uint32_t kMost = 4;
  int32_t servers[kMost] = {};
};
struct Level {
  Levels* levels;
  uint32_t number;
};

int go_down(const void* argument, size_t, const mpc_ref*, size_t) {
  Level level = argument_as<Level>(argument);
  level.levels->servers[level.number] = getppid();
  if (++level.number == Levels::kMost) return 0;
  return finished(started(go_down, level));
}

TEST_P(ForkServerTest, M13OneServerServesTheWholeTree) {
  GroupPage<Levels> levels;
  EXPECT_EQ(exit_code_of(start(go_down, Level{levels.get(), 0})), 0);
  for (int32_t each : levels->servers) EXPECT_EQ(each, levels->servers[0]);
}

// --- made by a child ---------------------------------------------------------------------------

struct Asked {
  Count ready;
  Count go;
  std::atomic<int32_t> servers[64] = {};
  std::atomic<int32_t> grandchild{0};
};

int ask_for_a_server(const void* argument, size_t, const mpc_ref*, size_t) {
  argument_as<Asked*>(argument)->servers[0] = server_of_a_start();
  return 0;
}

MPC_PROGRAM(has_a_child_make_the_server) {
  auto* asked = group_page<Asked>();
  MUST(finished(started(ask_for_a_server, asked, MPC_START_SPAWN)) == 0);
  MUST(!ends_within(asked->servers[0], 0));
  MUST(server_of_a_start() == asked->servers[0]);
  MUST(finished(started(ask_for_a_server, asked, MPC_START_FORK)) == 0);
  MUST(server_of_a_start() == asked->servers[0]);
  printf("%d", asked->servers[0].load());
  return 0;
}

TEST(ForkServerSharingTest, M13AServerThatAChildHadMadeIsThatOfTheTreeAndEndsWithIt) {
  Ended ended = run_program("has_a_child_make_the_server");
  EXPECT_EQ(ended, 0);
  EXPECT_TRUE(ends_within(atoi(ended.output.c_str()), kLongEnough));
}

constexpr uint32_t kAtOnce = 8;
struct OneOfMany {
  Asked* asked;
  uint32_t number;
};

int ask_at_once(const void* argument, size_t, const mpc_ref*, size_t) {
  auto [asked, number] = argument_as<OneOfMany>(argument);
  asked->ready.add();
  MUST(asked->ready.reaches(kAtOnce));
  (void)server_of_a_start();
  asked->go.add();
  MUST(asked->go.reaches(kAtOnce));
  asked->servers[number] = server_of_a_start();
  return 0;
}

MPC_PROGRAM(has_many_make_it_at_once) {
  auto* asked = group_page<Asked>();
  mpc_process* children[kAtOnce];
  for (uint32_t i = 0; i < kAtOnce; ++i) {
    children[i] = started(ask_at_once, OneOfMany{asked, i}, MPC_START_SPAWN);
  }
  for (mpc_process* child : children) MUST(finished(child) == 0);
  for (uint32_t i = 0; i < kAtOnce; ++i) MUST(asked->servers[i] == asked->servers[0]);
  return 0;
}

TEST(ForkServerSharingTest, M13ManyThatMakeItAtOnceAgreeOnOne) {
  EXPECT_EQ(run_program("has_many_make_it_at_once"), 0);
}

// --- somebody is killed ------------------------------------------------------------------------

int wait_for_ever(const void* argument, size_t, const mpc_ref*, size_t) {
  auto* asked = argument_as<Asked*>(argument);
  asked->servers[0] = getppid();
  asked->grandchild = getpid();
  asked->ready.add();
  for (;;) pause();
}

int start_and_wait(const void* argument, size_t, const mpc_ref*, size_t) {
  return finished(started(wait_for_ever, argument_as<Asked*>(argument)));
}

MPC_PROGRAM(has_the_maker_killed) {
  auto* asked = group_page<Asked>();
  mpc_process* maker = started(start_and_wait, asked, MPC_START_SPAWN);
  MUST(asked->ready.reaches(1));
  MUST(mpc_process_kill(maker) == MPC_OK);
  MUST(finished(maker) == -SIGKILL);
  MUST(ends_within(asked->grandchild, kLongEnough));  // it was tied to the maker
  MUST(!ends_within(asked->servers[0], 0));           // which the server is not
  MUST(server_of_a_start() == asked->servers[0]);
  return 0;
}

TEST(ForkServerSharingTest, M13ADeathOfWhoHadItMadeEndsItsChildrenAndNotTheServer) {
  EXPECT_EQ(run_program("has_the_maker_killed"), 0);
}

MPC_PROGRAM(is_killed_as_the_first_of_its_tree) {
  auto* asked = group_page<Asked>();
  (void)started(start_and_wait, asked, MPC_START_SPAWN);
  MUST(asked->ready.reaches(1));
  printf("%d %d", asked->servers[0].load(), asked->grandchild.load());
  fflush(stdout);
  raise(SIGKILL);
  return 0;
}

TEST(ForkServerSharingTest, M13NothingIsLeftWhenTheFirstOfTheTreeIsKilled) {
  Ended ended = run_program("is_killed_as_the_first_of_its_tree");
  EXPECT_EQ(ended, -SIGKILL);
  int server = 0;
  int grandchild = 0;
  ASSERT_EQ(sscanf(ended.output.c_str(), "%d %d", &server, &grandchild), 2);
  EXPECT_TRUE(ends_within(server, kLongEnough));
  EXPECT_TRUE(ends_within(grandchild, kLongEnough));
}

int start_one_after_the_other(const void* argument, size_t, const mpc_ref*, size_t) {
  auto* asked = argument_as<Asked*>(argument);
  for (uint32_t i = 0; i < 300; ++i) {
    asked->servers[0] = server_of_a_start();
    asked->ready.add();
  }
  return 0;
}

TEST_P(ForkServerTest, M13AServerThatIsKilledInTheMiddleOfNestedStartsLosesNone) {
  GroupPage<Asked> asked;
  mpc_process* process = start(start_one_after_the_other, asked.get());
  for (uint32_t kills = 1; kills <= 20; ++kills) {
    ASSERT_TRUE(asked->ready.reaches(kills * 14));
    kill(asked->servers[0], SIGKILL);
  }
  EXPECT_EQ(exit_code_of(process), 0);
}

// --- detached ----------------------------------------------------------------------------------

int start_when_the_first_is_gone(const void* argument, size_t, const mpc_ref*, size_t) {
  auto* asked = argument_as<Asked*>(argument);
  asked->servers[0] = getppid();
  asked->ready.add();
  if (!ends_within(asked->grandchild, kLongEnough)) return 1;
  if (!ends_within(asked->servers[0], kLongEnough)) return 2;
  return finished(started(go_down, Level{group_page<Levels>(), 0})) == 0 ? 0 : 3;
}

MPC_PROGRAM(leaves_a_detached_starter) {
  auto* asked = group_page<Asked>();
  asked->grandchild = getpid();
  mpc_process_options options = MPC_PROCESS_OPTIONS_INIT;
  options.argument = &asked;
  options.argument_size = sizeof asked;
  options.start_method = MPC_START_FORKSERVER;
  options.detach = arguments[0] == "at the start" ? 1 : 0;
  mpc_process* process;
  MUST(mpc_process_create(start_when_the_first_is_gone, &options, &process) == MPC_OK);
  MUST(mpc_process_start(process) == MPC_OK);
  MUST(asked->ready.reaches(1));
  if (options.detach == 0) MUST(mpc_process_detach(process) == MPC_OK);
  return 0;
}

TEST(ForkServerSharingTest, M13ADetachedProcessMakesAServerOfItsOwnWhenTheTreeIsGone) {
  for (const char* when : {"at the start", "later"}) {
    Subreaper subreaper;
    EXPECT_EQ(run_program("leaves_a_detached_starter", {when}), 0);
    // The child comes to this process when the server that forked it is gone.
    int status = -1;
    bool found = false;
    for (pid_t pid = 0; (pid = waitpid(-1, &status, 0)) > 0;) found = found || status == 0;
    EXPECT_TRUE(found) << when << ": " << status;
  }
}

}  // namespace
}  // namespace mpc::test
