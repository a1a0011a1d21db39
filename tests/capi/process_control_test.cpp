// SPDX-License-Identifier: Apache-2.0
// What can be done with a process besides starting, joining and signalling it: stop, usage, its
// whole tree, detach.
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "support/start_method_test.hpp"
#include "support/subreaper.hpp"
#include "support/talk.hpp"

namespace mpc::test {
namespace {

class ProcessControlTest : public StartMethodTest {};
MPC_UNDER_EVERY_START_METHOD(ProcessControlTest);

// --- stop ----------------------------------------------------------------------------------------

int deaf_to_sigterm(const void* argument, size_t, const mpc_ref*, size_t) {
  signal(SIGTERM, SIG_IGN);
  return wait_for_a_signal(argument, 0, nullptr, 0);
}

TEST_P(ProcessControlTest, StopTerminatesAProcessAndWaitsForItsEnd) {
  GroupPage<Talk> talk;
  mpc_process* process = start(wait_for_a_signal, talk.get());
  mpc_stop_way way = MPC_STOP_KILLED;
  EXPECT_EQ(mpc_process_stop(process, kLongEnough, &way), MPC_OK);
  EXPECT_EQ(way, MPC_STOP_TERMINATED);
  EXPECT_EQ(exit_code_of(process), -SIGTERM);
  EXPECT_EQ(mpc_process_stop(process, kLongEnough, &way), MPC_OK);
  EXPECT_EQ(way, MPC_STOP_NOTHING);
}

TEST_P(ProcessControlTest, StopKillsAProcessThatDoesNotEndInTime) {
  GroupPage<Talk> talk;
  mpc_process* process = start(deaf_to_sigterm, talk.get());
  ASSERT_TRUE(talk->ready.reaches(1));
  int64_t before = now_ns();
  mpc_stop_way way = MPC_STOP_NOTHING;
  EXPECT_EQ(mpc_process_stop(process, MPC_MILLISECONDS(30), &way), MPC_OK);
  EXPECT_GE(now_ns() - before, MPC_MILLISECONDS(30) - kTolerance);
  EXPECT_EQ(way, MPC_STOP_KILLED);
  EXPECT_EQ(exit_code_of(process), -SIGKILL);
}

TEST_P(ProcessControlTest, StopEndsAProcessThatIsStopped) {
  GroupPage<Talk> talk;
  mpc_process* process = start(wait_for_a_signal, talk.get());
  kill(pid_of(process), SIGSTOP);
  ASSERT_TRUE(is_stopped(pid_of(process)));
  EXPECT_EQ(mpc_process_stop(process, 0, nullptr), MPC_OK);
  EXPECT_EQ(exit_code_of(process), -SIGKILL);
}

// --- usage ---------------------------------------------------------------------------------------

constexpr size_t kMuch = size_t{48} << 20;

int use_time_and_memory(const void*, size_t, const mpc_ref*, size_t) {
  void* memory = mmap(nullptr, kMuch, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return 1;
  memset(memory, 1, kMuch);
  rusage used = {};
  while (used.ru_utime.tv_sec == 0 && used.ru_utime.tv_usec < 20'000) getrusage(RUSAGE_SELF, &used);
  while (used.ru_nvcsw < 3) {
    wait_for(fork_and([] { return 0; }));
    getrusage(RUSAGE_SELF, &used);
  }
  return 0;
}

TEST_P(ProcessControlTest, UsageIsWhatTheProcessHasUsed) {
  mpc_process* process = start(use_time_and_memory);
  EXPECT_EQ(exit_code_of(process), 0);
  mpc_process_usage usage = MPC_PROCESS_USAGE_INIT;
  ASSERT_EQ(mpc_process_usage_get(process, &usage), MPC_OK) << last_message();
  EXPECT_EQ(usage.known, 1u);
  EXPECT_EQ(usage.core_dumped, 0u);
  EXPECT_GE(usage.user_ns, MPC_MILLISECONDS(20));
  EXPECT_LT(usage.user_ns, MPC_SECONDS(100));
  EXPECT_GE(usage.system_ns, 0);
  EXPECT_GE(usage.max_rss_bytes, kMuch);
  EXPECT_GT(usage.minor_faults, 0u);
  EXPECT_GE(usage.voluntary_switches, 3u);
}

TEST_P(ProcessControlTest, UsageIsThereWhenTheProcessHasEnded) {
  GroupPage<Talk> talk;
  mpc_process* process = start(wait_to_be_told, talk.get());
  mpc_process_usage usage = MPC_PROCESS_USAGE_INIT;
  EXPECT_EQ(mpc_process_usage_get(process, &usage), MPC_ESTATE);
  talk->go.set(1);
  ASSERT_TRUE(ends_within(pid_of(process), kLongEnough));
  EXPECT_EQ(mpc_process_usage_get(process, &usage), MPC_OK) << "without a join";
  EXPECT_EQ(usage.known, 1u);
}

TEST_P(ProcessControlTest, UsageOfAProcessIsUnknownIfTheHostReapedItWhichAServersIsSafeFrom) {
  bool servers = GetParam() == MPC_START_FORKSERVER;
  mpc_process* process = start(return_five);
  ASSERT_TRUE(ends_within(pid_of(process), kLongEnough));
  EXPECT_EQ(waitpid(pid_of(process), nullptr, 0), servers ? -1 : pid_of(process));
  mpc_process_usage usage = MPC_PROCESS_USAGE_INIT;
  usage.max_rss_bytes = 5;
  EXPECT_EQ(mpc_process_usage_get(process, &usage), MPC_OK);
  EXPECT_EQ(usage.known, servers ? 1u : 0u);
  if (servers) {
    EXPECT_GT(usage.max_rss_bytes, 5u);
  } else {
    EXPECT_EQ(usage.max_rss_bytes, 0u);
  }
  EXPECT_EQ(exit_code_of(process), 5);
}

TEST_P(ProcessControlTest, UsageFillsAsMuchAsTheCallerHasRoomFor) {
  mpc_process* process = start(return_five);
  EXPECT_EQ(exit_code_of(process), 5);
  mpc_process_usage usage = MPC_PROCESS_USAGE_INIT;
  usage.struct_size = offsetof(mpc_process_usage, user_ns);
  usage.user_ns = -9;
  EXPECT_EQ(mpc_process_usage_get(process, &usage), MPC_OK);
  EXPECT_EQ(usage.known, 1u);
  EXPECT_EQ(usage.user_ns, -9);
  usage.struct_size = offsetof(mpc_process_usage, user_ns) - 1;
  EXPECT_EQ(mpc_process_usage_get(process, &usage), MPC_EINVAL);
}

int dump_core(const void* argument, size_t size, const mpc_ref*, size_t) {
  if (chdir(std::string(static_cast<const char*>(argument), size).c_str()) != 0) return 1;
  rlimit limit;
  getrlimit(RLIMIT_CORE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_CORE, &limit);
  signal(SIGABRT, SIG_DFL);
  abort();
}

TEST_P(ProcessControlTest, UsageTellsWhetherThereIsACoreDump) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "the memory that the sanitizer reserves would be dumped";
#endif
  char folder[] = "/tmp/mpc_core_test_XXXXXX";
  ASSERT_NE(mkdtemp(folder), nullptr);
  auto clean = [&] {
    std::string command = std::string("rm -f ") + folder + "/*";
    return system(command.c_str());
  };
  // What the system does with the dump of any process.
  pid_t raw = fork_and([&] { return dump_core(folder, strlen(folder), nullptr, 0); });
  int status = 0;
  ASSERT_EQ(waitpid(raw, &status, 0), raw);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(clean(), 0);
  mpc_process_options options = process_options();
  options.argument = folder;
  options.argument_size = strlen(folder);
  mpc_process* process = start(dump_core, options);
  EXPECT_EQ(exit_code_of(process), -SIGABRT);
  mpc_process_usage usage = MPC_PROCESS_USAGE_INIT;
  ASSERT_EQ(mpc_process_usage_get(process, &usage), MPC_OK);
  EXPECT_EQ(usage.core_dumped, WCOREDUMP(status) ? 1u : 0u);
  EXPECT_EQ(clean(), 0);
  EXPECT_EQ(rmdir(folder), 0);
}

// --- trees ---------------------------------------------------------------------------------------

constexpr uint32_t kMostInTree = 400;

struct TreePage {
  Talk talk;
  std::atomic<uint32_t> places{0};
  Count members;  // whose pids are there
  Count terminated;
  std::atomic<int32_t> pids[kMostInTree] = {};
};

void join_tree(TreePage* page) {
  uint32_t place = page->places++;
  if (place < kMostInTree) page->pids[place] = getpid();
  page->members.add();
}

int be_a_member(const void* argument, size_t, const mpc_ref*, size_t) {
  join_tree(argument_as<TreePage*>(argument));
  for (;;) pause();
}

mpc_process* start_member(TreePage* const& page, mpc_process_fn function, uint32_t detach) {
  mpc_process_options options = MPC_PROCESS_OPTIONS_INIT;
  options.start_method = page->talk.method;
  options.detach = detach;
  options.argument = &page;
  options.argument_size = sizeof page;
  mpc_process* process = nullptr;
  MUST(mpc_process_create(function, &options, &process) == MPC_OK);
  MUST(mpc_process_start(process) == MPC_OK);
  return process;
}

// Four generations: by the library, by a bare fork, by the library of that fork, by a bare fork.
int have_a_tree(const void* argument, size_t, const mpc_ref*, size_t) {
  TreePage* page = argument_as<TreePage*>(argument);
  join_tree(page);
  start_member(page, be_a_member, 0);
  start_member(page, be_a_member, 1);
  if (fork() == 0) {
    join_tree(page);
    start_member(page, be_a_member, 1);
    if (fork() == 0) join_tree(page);
  }
  for (;;) pause();
}
constexpr uint32_t kInTree = 6;

class ProcessTreeTest : public StartMethodTest {
 protected:
  void SetUp() override {
    StartMethodTest::SetUp();
    page_ = new GroupPage<TreePage>;
    page()->talk.method = GetParam();
  }
  void TearDown() override {
    EXPECT_TRUE(subreaper_.all_end()) << "a descendant lives on";
    delete page_;
    StartMethodTest::TearDown();
  }
  TreePage* page() { return page_->get(); }
  void expect_all_ended() {
    for (uint32_t i = 0; i < std::min(page()->members.value(), kMostInTree); ++i) {
      int32_t pid = page()->pids[i];
      EXPECT_TRUE(pid == 0 || ends_within(pid, kLongEnough)) << "member " << i << " lives on";
    }
  }

  Subreaper subreaper_;

 private:
  GroupPage<TreePage>* page_ = nullptr;
};
MPC_UNDER_EVERY_START_METHOD(ProcessTreeTest);

TEST_P(ProcessTreeTest, KillTreeKillsEveryDescendantWhoeverStartedIt) {
  mpc_process* process = start(have_a_tree, page());
  ASSERT_TRUE(page()->members.reaches(kInTree));
  EXPECT_EQ(mpc_process_kill_tree(process), MPC_OK) << last_message();
  EXPECT_EQ(exit_code_of(process), -SIGKILL);
  expect_all_ended();
}

TEST_P(ProcessTreeTest, KillTreeLeavesOthersAlone) {
  mpc_process* brother = start(wait_to_be_told, &page()->talk);
  mpc_process* process = start(have_a_tree, page());
  ASSERT_TRUE(page()->members.reaches(kInTree));
  EXPECT_EQ(mpc_process_kill_tree(process), MPC_OK) << last_message();
  EXPECT_EQ(exit_code_of(process), -SIGKILL);
  page()->talk.go.set(1);
  EXPECT_EQ(exit_code_of(brother), 3);
}

// Each that is forked forks one more, as fast as it can, until there are enough.
int fork_without_end(const void* argument, size_t, const mpc_ref*, size_t) {
  TreePage* page = argument_as<TreePage*>(argument);
  join_tree(page);
  for (;;) {
    if (page->members.value() >= kMostInTree) {
      pause();
    } else if (fork() == 0) {
      join_tree(page);
    }
  }
}

TEST_P(ProcessTreeTest, KillTreeMissesNobodyWhileTheTreeGrows) {
  mpc_process* process = start(fork_without_end, page());
  ASSERT_TRUE(page()->members.reaches(30));
  EXPECT_EQ(mpc_process_kill_tree(process), MPC_OK) << last_message();
  uint32_t members = page()->members.value();
  EXPECT_EQ(exit_code_of(process), -SIGKILL);
  expect_all_ended();
  EXPECT_EQ(page()->members.value(), members) << "somebody went on";
}

// So slowly that one look may find nobody new although the next is on its way.
int fork_now_and_then(const void* argument, size_t, const mpc_ref*, size_t) {
  TreePage* page = argument_as<TreePage*>(argument);
  unsigned random = static_cast<unsigned>(getpid());
  for (;;) {
    if (page->places.load() < kMostInTree && fork() == 0) return be_a_member(&page, 0, nullptr, 0);
    random = random * 1103515245 + 12345;
    int64_t pace = int64_t{random >> 16} % 64 * 30'000;
    for (int64_t until = now_ns() + pace; now_ns() < until;) sched_yield();
  }
}

TEST_P(ProcessTreeTest, KillTreeMissesNobodyWhoIsForkedAtThatMoment) {
  for (uint32_t i = 1; i <= 15; ++i) {
    mpc_process* process = start(fork_now_and_then, page());
    ASSERT_TRUE(page()->members.reaches(i * 15));
    EXPECT_EQ(mpc_process_kill_tree(process), MPC_OK) << last_message();
    EXPECT_EQ(exit_code_of(process), -SIGKILL);
  }
  EXPECT_TRUE(subreaper_.all_end()) << "somebody was missed";
}

TreePage* terminated_page = nullptr;

void heed_sigterm(TreePage* page) {
  terminated_page = page;
  signal(SIGTERM, [](int) {
    terminated_page->terminated.add();
    _exit(0);
  });
}

int have_forks_that_heed_sigterm(const void* argument, size_t, const mpc_ref*, size_t) {
  TreePage* page = argument_as<TreePage*>(argument);
  heed_sigterm(page);
  for (int i = 0; i < 3; ++i) {
    if (fork() == 0) break;
  }
  join_tree(page);
  for (;;) pause();
}

TEST_P(ProcessTreeTest, TerminateTreeSendsSigtermToEveryDescendant) {
  mpc_process* process = start(have_forks_that_heed_sigterm, page());
  ASSERT_TRUE(page()->members.reaches(4));
  EXPECT_EQ(mpc_process_terminate_tree(process), MPC_OK) << last_message();
  EXPECT_EQ(exit_code_of(process), 0);
  expect_all_ended();
  EXPECT_EQ(page()->terminated.value(), 4u);
}

TEST_P(ProcessTreeTest, TerminateTreeContinuesThoseWhoIgnoreSigterm) {
  mpc_process* process = start(
      [](const void* argument, size_t, const mpc_ref*, size_t) {
        signal(SIGTERM, SIG_IGN);
        Talk* talk = &argument_as<TreePage*>(argument)->talk;
        return wait_to_be_told(&talk, sizeof talk, nullptr, 0);
      },
      page());
  ASSERT_TRUE(page()->talk.ready.reaches(1));
  EXPECT_EQ(mpc_process_terminate_tree(process), MPC_OK) << last_message();
  page()->talk.go.set(1);
  EXPECT_EQ(exit_code_of(process), 3);
}

TEST_P(ProcessTreeTest, KillTreeLeavesAProcessAloneThatHasEnded) {
  mpc_process* process = start(return_five);
  EXPECT_EQ(exit_code_of(process), 5);
  EXPECT_EQ(mpc_process_kill_tree(process), MPC_OK);
  EXPECT_EQ(mpc_process_terminate_tree(process), MPC_OK);
}

// --- detach --------------------------------------------------------------------------------------

class DetachTest : public testing::TestWithParam<mpc_start_method> {
 protected:
  void TearDown() override { EXPECT_TRUE(subreaper_.all_end()) << "a descendant lives on"; }
  Subreaper subreaper_;
};
MPC_UNDER_EVERY_START_METHOD(DetachTest);

constexpr int kNotAllowedHere = 77;

uint32_t method_in(const Arguments& arguments) {
  return static_cast<uint32_t>(atoi(arguments.at(0).c_str()));
}

// Starts five, detaches the first and the third, and dies or exits; prints their pids.
MPC_PROGRAM(detaches_some) {
  GroupPage<Talk> talk;
  Talk* page = talk.get();
  mpc_process_options options = options_with(page, method_in(arguments));
  options.daemon = 1;
  for (int i = 0; i < 5; ++i) {
    mpc_process* process = nullptr;
    int32_t pid = 0;
    MUST(mpc_process_create(wait_for_a_signal, &options, &process) == MPC_OK);
    MUST(mpc_process_start(process) == MPC_OK);
    MUST(mpc_process_pid(process, &pid) == MPC_OK);
    printf("%d ", pid);
    if (i % 2 == 1 || i == 4) continue;
    mpc_status status = mpc_process_detach(process);
    if (status == MPC_ENOTSUP) return kNotAllowedHere;
    MUST(status == MPC_OK);
    MUST(mpc_process_detach(process) == MPC_OK);
  }
  MUST(talk->ready.reaches(5));
  fflush(stdout);
  if (arguments.at(1) == "die") raise(SIGKILL);
  exit(0);
}

void expect_detached_live_on(const Ended& ended) {
  char* at = const_cast<char*>(ended.output.data());
  for (int i = 0; i < 5; ++i) {
    pid_t pid = static_cast<pid_t>(strtol(at, &at, 10));
    ASSERT_GT(pid, 0) << ended;
    if (i % 2 == 1 || i == 4) {
      EXPECT_TRUE(ends_within(pid, kLongEnough)) << "number " << i << " lives on";
    } else {
      EXPECT_FALSE(ends_within(pid, kLongerThanAnyTick)) << "number " << i << " was detached";
      kill(pid, SIGKILL);
    }
  }
}

TEST_P(DetachTest, AProcessThatIsDetachedWhileItRunsOutlivesAParentThatIsKilled) {
  Ended ended = run_program("detaches_some", {std::to_string(GetParam()), "die"});
  if (ended == kNotAllowedHere) GTEST_SKIP() << "ptrace() is forbidden here";
  EXPECT_EQ(ended, -SIGKILL);
  expect_detached_live_on(ended);
}

TEST_P(DetachTest, AProcessThatIsDetachedWhileItRunsOutlivesAParentThatExits) {
  Ended ended = run_program("detaches_some", {std::to_string(GetParam()), "exit"});
  if (ended == kNotAllowedHere) GTEST_SKIP() << "ptrace() is forbidden here";
  EXPECT_EQ(ended, 0);
  expect_detached_live_on(ended);
}

MPC_PROGRAM(detaches_before_the_start) {
  GroupPage<Talk> talk;
  Talk* page = talk.get();
  mpc_process_options options = options_with(page, method_in(arguments));
  mpc_process* process = nullptr;
  int32_t pid = 0;
  MUST(mpc_process_create(wait_for_a_signal, &options, &process) == MPC_OK);
  MUST(mpc_process_detach(process) == MPC_OK);
  MUST(mpc_process_start(process) == MPC_OK);
  MUST(mpc_process_pid(process, &pid) == MPC_OK);
  MUST(talk->ready.reaches(1));
  printf("%d", pid);
  fflush(stdout);
  raise(SIGKILL);
  return 0;
}

TEST_P(DetachTest, AProcessThatIsDetachedBeforeItsStartOutlivesItsParent) {
  Ended ended = run_program("detaches_before_the_start", {std::to_string(GetParam())});
  EXPECT_EQ(ended, -SIGKILL);
  pid_t pid = atoi(ended.output.c_str());
  ASSERT_GT(pid, 0) << ended;
  EXPECT_FALSE(ends_within(pid, kLongerThanAnyTick));
  kill(pid, SIGKILL);
}

TEST_P(ProcessControlTest, DetachingAProcessThatHasEndedIsFine) {
  mpc_process* process = start(return_five);
  ASSERT_TRUE(ends_within(pid_of(process), kLongEnough));
  EXPECT_EQ(mpc_process_detach(process), MPC_OK);
  EXPECT_EQ(exit_code_of(process), 5);
}

}  // namespace
}  // namespace mpc::test
