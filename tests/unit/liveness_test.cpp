// SPDX-License-Identifier: Apache-2.0
// Who counts as dead. The kernel's word alone decides.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <thread>

#include "os/identity.hpp"
#include "os/mapping.hpp"
#include "os/spare_descriptor.hpp"
#include "support/wait.hpp"

namespace mpc {
namespace {

using test::Count;
using test::ends_within;
using test::fork_and;
using test::is_stopped;
using test::kLongEnough;
using test::SharedPage;
using test::wait_for;

class LivenessTest : public testing::Test {
 protected:
  void SetUp() override { mapping_ = *map_group_memory(32 << 20, 32 << 20); }
  void TearDown() override {
    if (child_ > 0) {
      kill(child_, SIGKILL);
      wait_for(child_);
    }
    int fd = mapping_.fd;
    unmap_group_memory(mapping_);
    if (fd >= 0) close(fd);
  }

  // A child that waits to be killed.
  void start_child() {
    child_ = fork_and([this]() -> int {
      ready_->add();
      for (;;) pause();
    });
    ASSERT_TRUE(ready_->reaches(1));
    identity_ = process_identity(child_);
  }

  Life life() { return process_life_mapping(child_, identity_, mapping_.inode); }

  Mapping mapping_;
  SharedPage<Count> ready_;
  pid_t child_ = 0;
  uint64_t identity_ = 0;
};

TEST_F(LivenessTest, ARunningProcessLives) {
  start_child();
  EXPECT_NE(identity_, 0u);
  EXPECT_EQ(life(), Life::kAlive);
}

TEST_F(LivenessTest, ThisProcessLives) {
  uint64_t own = process_identity(getpid());
  EXPECT_EQ(process_life_mapping(getpid(), own, mapping_.inode), Life::kAlive);
}

TEST_F(LivenessTest, AProcessThatWasKilledIsDeadBeforeItIsReaped) {
  start_child();
  kill(child_, SIGKILL);
  ASSERT_TRUE(ends_within(child_, kLongEnough));
  EXPECT_EQ(life(), Life::kDead);
}

TEST_F(LivenessTest, AProcessThatWasReapedIsDead) {
  start_child();
  kill(child_, SIGKILL);
  EXPECT_EQ(wait_for(child_), -SIGKILL);
  EXPECT_EQ(life(), Life::kDead);
  child_ = 0;
}

TEST_F(LivenessTest, AStoppedProcessLives) {
  start_child();
  kill(child_, SIGSTOP);
  ASSERT_TRUE(is_stopped(child_));
  EXPECT_EQ(life(), Life::kAlive);
}

TEST_F(LivenessTest, AnotherProcessWithTheSamePidIsNotTheOneThatDied) {
  start_child();
  EXPECT_EQ(process_life(child_, identity_ + 1), Life::kDead);
  EXPECT_EQ(process_life(child_, identity_), Life::kAlive);
}

TEST_F(LivenessTest, AnUnknownIdentityFitsAnyProcess) {
  start_child();
  EXPECT_EQ(process_life(child_, 0), Life::kAlive);
}

TEST_F(LivenessTest, PidsThatNobodyHasAreDead) {
  for (int32_t pid : {0, -1, INT32_MIN, INT32_MAX}) EXPECT_EQ(process_life(pid, 0), Life::kDead);
}

TEST_F(LivenessTest, AThreadIsNoProcess) {
  SharedPage<Count> tid;
  SharedPage<Count> go;
  std::thread thread([&] {
    tid->set(static_cast<uint32_t>(gettid()));
    go->reaches(1);
  });
  ASSERT_TRUE(tid->reaches(1));
  EXPECT_EQ(process_life(static_cast<int32_t>(tid->value()), 0), Life::kDead);
  go->set(1);
  thread.join();
}

// The state of the first thread, as /proc/PID/stat has it.
char first_thread_state(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  std::getline(file, line);
  size_t name_end = line.rfind(')');
  return name_end == std::string::npos ? '?' : line.at(name_end + 2);
}

TEST_F(LivenessTest, AProcessWhoseMainThreadHasLeftLives) {
  child_ = fork_and([this]() -> int {
    std::thread([this] {
      ready_->add();
      for (;;) pause();
    }).detach();
    // As pthread_exit() ends, but without unwinding the test.
    syscall(SYS_exit, 0);
    return 99;
  });
  ASSERT_TRUE(ready_->reaches(1));
  while (first_thread_state(child_) != 'Z') sched_yield();
  identity_ = process_identity(child_);
  EXPECT_EQ(life(), Life::kAlive);
}

TEST_F(LivenessTest, AProcessThatBecameAnotherProgramIsDead) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  child_ = fork_and([]() -> int {
    execl("/bin/sleep", "sleep", "1000", nullptr);
    return 99;
  });
  close(ends[1]);
  // End of file comes when the exec has closed the child's end.
  char byte;
  EXPECT_EQ(read(ends[0], &byte, 1), 0);
  close(ends[0]);
  identity_ = process_identity(child_);
  EXPECT_EQ(process_life(child_, identity_), Life::kAlive);
  EXPECT_EQ(life(), Life::kDead);
}

TEST_F(LivenessTest, TheQuestionIsAnsweredWithoutAFreeDescriptor) {
  start_child();
  EXPECT_EQ(wait_for(fork_and([this] {
              spare_set(mapping_.fd);
              rlimit none{};
              getrlimit(RLIMIT_NOFILE, &none);
              none.rlim_cur = static_cast<rlim_t>(dup(0));
              close(static_cast<int>(none.rlim_cur));
              if (setrlimit(RLIMIT_NOFILE, &none) != 0 || dup(0) >= 0) return 1;
              if (process_identity(child_) != identity_) return 2;
              spare_restore();
              if (process_life(child_, identity_) != Life::kAlive) return 3;
              spare_restore();
              if (process_life(child_, identity_ + 1) != Life::kDead) return 4;
              return 0;
            })),
            0);
}

TEST_F(LivenessTest, ASpareThatTheHostClosedAndUsedAgainIsLeftAlone) {
  EXPECT_EQ(wait_for(fork_and([this] {
              int probe = dup(0);
              close(probe);
              spare_set(mapping_.fd);
              if (close(probe) != 0) return 1;
              if (open("/dev/null", O_RDONLY) != probe) return 2;
              if (spare_give_up()) return 3;
              return fcntl(probe, F_GETFD) >= 0 ? 0 : 4;
            })),
            0);
}

TEST_F(LivenessTest, ThePidfdTellsTheExitCodeOfWhomSomebodyElseReaped) {
  child_ = fork_and([]() -> int { return 23; });
  Fd pidfd = open_pidfd(child_);
  ASSERT_TRUE(pidfd);
  EXPECT_EQ(wait_for(child_), 23);
  child_ = 0;
  int exit_code = pidfd_exit_code(pidfd.get());
  if (exit_code == kNoExitCode) GTEST_SKIP() << "this kernel does not tell (Linux 6.15 does)";
  EXPECT_EQ(exit_code, 23);
}

}  // namespace
}  // namespace mpc
