// SPDX-License-Identifier: Apache-2.0
// The harness's own parts, tried on a victim that writes to plain shared memory.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <map>
#include <vector>

#include "kill/tracee.hpp"
#include "kill/watched_range.hpp"

namespace kill_tests {
namespace {

constexpr size_t kSize = size_t{64} << 20;
constexpr size_t kFarWord = kSize / 16;

__attribute__((noinline)) void begins() { asm volatile("" ::: "memory"); }
__attribute__((noinline)) void ends() { asm volatile("nop" ::: "memory"); }

class StepperTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!tracing_is_permitted()) GTEST_SKIP() << "ptrace is not permitted here";
    int file = memfd_create("stepper", MFD_CLOEXEC);
    ASSERT_EQ(ftruncate(file, kSize), 0);
    void* base = mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    ASSERT_NE(base, MAP_FAILED);
    words_ = static_cast<std::atomic<uint64_t>*>(base);
    words_[0].store(1);
  }
  void TearDown() override {
    if (words_ != nullptr) munmap(static_cast<void*>(words_), kSize);
  }

  // Three stores to a page that exists, one to a page that does not, and a system call.
  Tracee victim() {
    return Tracee::fork([this] {
      raise(SIGSTOP);
      begins();
      for (uint64_t i = 1; i <= 3; ++i) words_[i].store(i);
      words_[kFarWord].store(4);
      getppid();
      ends();
      _exit(5);
    });
  }

  static void bring_to_begin(Tracee& tracee) {
    ASSERT_TRUE(tracee.run_to_stop_signal());
    ASSERT_TRUE(tracee.run_until(reinterpret_cast<uint64_t>(&begins)));
  }

  std::vector<Point> record(Tracee& tracee) {
    WatchedRange memory(words_);
    std::map<uint64_t, uint32_t> seen;
    std::vector<Point> points;
    uint32_t steps = 0;
    while (tracee.place() != reinterpret_cast<uint64_t>(&ends)) {
      uint64_t place = tracee.place();
      bool kernel = tracee.at_kernel_entry();
      if (!tracee.step()) break;
      ++steps;
      uint32_t occurrence = ++seen[place];
      if (memory.changed() || kernel) points.push_back({place, occurrence, steps, kernel});
    }
    return points;
  }

  std::atomic<uint64_t>* words_ = nullptr;
};

TEST_F(StepperTest, FindsEveryChangeAndEverySystemCall) {
  Tracee tracee = victim();
  bring_to_begin(tracee);
  std::vector<Point> points = record(tracee);
  ASSERT_EQ(points.size(), 5u);
  for (size_t i = 0; i < 4; ++i) EXPECT_FALSE(points[i].kernel);
  EXPECT_TRUE(points[4].kernel);
  tracee.let_go();
  int status = tracee.wait_for_end();
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 5);
}

TEST_F(StepperTest, ABreakpointLeadsToTheSamePlaceAsSteps) {
  Tracee first = victim();
  bring_to_begin(first);
  std::vector<Point> points = record(first);
  ASSERT_EQ(points.size(), 5u);
  for (size_t i = 0; i < 4; ++i) {
    for (bool by_steps : {false, true}) {
      for (size_t word = 1; word <= 3; ++word) words_[word].store(0);
      words_[kFarWord].store(0);
      Tracee tracee = victim();
      bring_to_begin(tracee);
      ASSERT_TRUE(by_steps ? tracee.step_times(points[i].steps) : tracee.run_to(points[i]));
      tracee.kill();
      tracee.reap();
      for (size_t word = 1; word <= 3; ++word) {
        EXPECT_EQ(words_[word].load(), word <= i + 1 ? word : 0u) << "point " << i;
      }
      EXPECT_EQ(words_[kFarWord].load(), i == 3 ? 4u : 0u) << "point " << i;
    }
  }
}

TEST_F(StepperTest, AStoppedVictimGoesOnToItsEnd) {
  Tracee tracee = victim();
  bring_to_begin(tracee);
  ASSERT_TRUE(tracee.step_times(5));
  EXPECT_FALSE(tracee.ended());
  tracee.let_go();
  int status = tracee.wait_for_end();
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 5);
  EXPECT_EQ(words_[3].load(), 3u);
}

TEST_F(StepperTest, AProcessThatTheVictimForksMeetsNoBreakpoint) {
  Tracee tracee = Tracee::fork([this] {
    raise(SIGSTOP);
    pid_t child = ::fork();
    begins();
    if (child == 0) _exit(9);
    int status = 0;
    waitpid(child, &status, 0);
    words_[1].store(WIFEXITED(status) ? static_cast<uint64_t>(WEXITSTATUS(status)) : 0);
    _exit(0);
  });
  bring_to_begin(tracee);
  tracee.let_go();
  EXPECT_EQ(tracee.wait_for_end(), 0);
  EXPECT_EQ(words_[1].load(), 9u);
}

}  // namespace
}  // namespace kill_tests
