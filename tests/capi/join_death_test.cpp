// SPDX-License-Identifier: Apache-2.0
// Joining by a path while processes are killed and stopped. What a killed joiner leaves is tried at
// every instruction by tests/kill.
#include <errno.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include <vector>

#include "join_path_test.hpp"
#include "support/group_state.hpp"

namespace mpc::test {
namespace {

// A process of a group of its own that listens; killed in the end.
class Owner {
 public:
  explicit Owner(const std::string& path) {
    pid_ = fork_and([&] {
      MUST(mpc_group_listen(path.c_str()) == MPC_OK);
      listens_->set(1);
      for (;;) pause();
      return 0;
    });
    EXPECT_TRUE(listens_->reaches(1));
  }
  ~Owner() { kill(); }
  Owner(const Owner&) = delete;
  Owner& operator=(const Owner&) = delete;
  pid_t pid() const { return pid_; }
  void kill() {
    if (pid_ == 0) return;
    ::kill(pid_, SIGKILL);
    wait_for(pid_);
    pid_ = 0;
  }

 private:
  SharedPage<Count> listens_;
  pid_t pid_ = 0;
};

TEST(JoinDeathTest, WhoHasJoinedLivesOnWhenTheOwnerIsKilled) {
  SocketFolder folder;
  Owner owner(folder.socket());
  ASSERT_EQ(mpc_group_join_path(folder.socket().c_str(), kLongEnough), MPC_OK) << last_message();
  mpc_group_stats before = figures();
  EXPECT_EQ(before.participants, 2u);
  int32_t parent;
  EXPECT_EQ(mpc_process_parent_pid(&parent), MPC_ESTATE);
  mpc_block* block;
  ASSERT_EQ(mpc_block_create(100, &block), MPC_OK);
  owner.kill();
  mpc_group_stats after = swept_stats();
  EXPECT_EQ(after.id, before.id);
  EXPECT_EQ(after.participants, 1u);
  EXPECT_EQ(after.deaths, before.deaths + 1);
  memset(mpc_block_address(block), 7, 100);
  EXPECT_EQ(mpc_block_detach(block), MPC_OK);

  // Who joined can let others in.
  ASSERT_EQ(mpc_group_listen(folder.socket().c_str()), MPC_OK) << last_message();
  EXPECT_EQ(run_program("joins_and_leaves", {folder.socket()}), 0);
  EXPECT_EQ(mpc_group_leave(), MPC_OK);
}

TEST(JoinDeathTest, AKilledJoinerIsSwept) {
  SocketFolder folder;
  ASSERT_EQ(mpc_group_listen(folder.socket().c_str()), MPC_OK);
  mpc_group_stats before = swept_stats();
  {
    RunningProgram joiner("joins_and_waits", {folder.socket()});
    while (figures().blocks != before.blocks + 1) sched_yield();
  }
  mpc_group_stats after = swept_stats();
  EXPECT_EQ(after.participants, before.participants);
  EXPECT_EQ(after.blocks, before.blocks);
  EXPECT_EQ(after.deaths, before.deaths + 1);
  EXPECT_EQ(mpc_group_leave(), MPC_OK);
}

MPC_PROGRAM(joins_and_waits) {
  MUST(mpc_group_join_path(arguments[0].c_str(), kLongEnough) == MPC_OK);
  void* block;
  MUST(mpc_group_alloc(100, &block) == MPC_OK);
  for (;;) pause();
}

TEST(JoinDeathTest, AStoppedOwnerIsWaitedForUntilTheDeadlineAndCanBeTriedAgain) {
  SocketFolder folder;
  Owner owner(folder.socket());
  kill(owner.pid(), SIGSTOP);
  ASSERT_TRUE(is_stopped(owner.pid()));
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(mpc_group_join_path(folder.socket().c_str(), 20'000'000), MPC_ETIMEDOUT);
  }
  kill(owner.pid(), SIGCONT);
  EXPECT_EQ(mpc_group_join_path(folder.socket().c_str(), kLongEnough), MPC_OK) << last_message();
  EXPECT_EQ(figures().participants, 2u);
  EXPECT_EQ(mpc_group_leave(), MPC_OK);
}

TEST(JoinDeathTest, AHundredJoinAtOnce) {
  constexpr uint32_t kMany = 100;
  SocketFolder folder;
  Owner owner(folder.socket());
  SharedPage<Count> ready;
  SharedPage<Count> joined;
  std::vector<pid_t> joiners;
  for (uint32_t i = 0; i < kMany; ++i) {
    joiners.push_back(fork_and([&] {
      ready->add();
      MUST(ready->reaches(kMany));
      MUST(mpc_group_join_path(folder.socket().c_str(), kLongEnough) == MPC_OK);
      joined->add();
      MUST(joined->reaches(kMany));
      MUST(figures().participants >= 2);
      MUST(mpc_group_leave() == MPC_OK);
      return 0;
    }));
  }
  for (pid_t joiner : joiners) EXPECT_EQ(wait_for(joiner), 0);
  ASSERT_EQ(mpc_group_join_path(folder.socket().c_str(), kLongEnough), MPC_OK);
  mpc_group_stats stats = swept_stats();
  EXPECT_EQ(stats.participants, 2u);
  EXPECT_EQ(stats.starts, kMany + 2u);
  EXPECT_EQ(stats.blocks, 0u);
  EXPECT_EQ(mpc_group_leave(), MPC_OK);
}

// --- at every system call ------------------------------------------------------------------------

// The thread that answers: the one that is not the first.
pid_t answering_thread(pid_t process) {
  pid_t found = 0;
  DIR* folder = opendir(("/proc/" + std::to_string(process) + "/task").c_str());
  while (const dirent* entry = readdir(folder)) {
    if (entry->d_name[0] != '.' && atoi(entry->d_name) != process) found = atoi(entry->d_name);
  }
  closedir(folder);
  return found;
}

// Lets a stopped thread go on to the next beginning or end of a system call. False if it has ended,
// or if `others` is true before it comes there.
template <class Others>
bool go_to_next_call(pid_t thread, Others others) {
  if (ptrace(PTRACE_SYSCALL, thread, nullptr, nullptr) != 0) return false;
  int status = 0;
  while (waitpid(thread, &status, __WALL | WNOHANG) == 0) {
    if (others()) return false;
    sched_yield();
  }
  return WIFSTOPPED(status);
}

TEST(JoinDeathTest, AnOwnerKilledAtAnySystemCallOfItsAnswerIsToldToTheJoiner) {
  SocketFolder folder;
  int joined = 0;
  int told = 0;
  bool through = false;
  for (int calls = 1; !through; ++calls) {
    ASSERT_LT(calls, 100);
    Owner owner(folder.socket());
    pid_t thread = answering_thread(owner.pid());
    ASSERT_NE(thread, 0);
    if (ptrace(PTRACE_SEIZE, thread, nullptr, nullptr) != 0) {
      GTEST_SKIP() << "ptrace() is forbidden here";
    }
    ASSERT_EQ(ptrace(PTRACE_INTERRUPT, thread, nullptr, nullptr), 0);
    ASSERT_EQ(waitpid(thread, nullptr, __WALL), thread);
    SharedPage<Count> end;
    pid_t joiner = fork_and([&] {
      mpc_status status = mpc_group_join_path(folder.socket().c_str(), kLongEnough);
      end->set(1);
      if (status == MPC_OK) return mpc_group_leave() == MPC_OK ? 0 : 2;
      return status == MPC_ECLOSED ? 1 : 3;
    });
    for (int i = 0; i < calls && !through; ++i) {
      through = !go_to_next_call(thread, [&] { return end->value() == 1 && i > 0; });
    }
    // A thread that is traced keeps its process from being reaped until its own end was waited for.
    kill(owner.pid(), SIGKILL);
    int status = 0;
    while (waitpid(thread, &status, __WALL) == thread && WIFSTOPPED(status)) {
    }
    owner.kill();
    int told_now = wait_for(joiner);
    EXPECT_TRUE(told_now == 0 || told_now == 1) << "after " << calls << ": " << told_now;
    ++(told_now == 0 ? joined : told);
  }
  EXPECT_GT(joined, 0);
  EXPECT_GT(told, 0);
}

TEST(JoinDeathTest, AnOwnerKilledAtARandomMomentLeavesNobodyWaiting) {
  SocketFolder folder;
  for (int round = 0; round < 100; ++round) {
    Owner owner(folder.socket());
    SharedPage<Count> begun;
    pid_t joiner = fork_and([&] {
      for (;;) {
        begun->add();
        mpc_status status = mpc_group_join_path(folder.socket().c_str(), kLongEnough);
        if (status == MPC_ECLOSED) return 0;
        if (status != MPC_OK || mpc_group_leave() != MPC_OK) return 1;
      }
    });
    ASSERT_TRUE(begun->reaches(1u + static_cast<uint32_t>(round) % 7));
    owner.kill();
    EXPECT_EQ(wait_for(joiner), 0);
  }
}

}  // namespace
}  // namespace mpc::test
