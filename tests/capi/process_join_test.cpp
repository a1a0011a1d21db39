// SPDX-License-Identifier: Apache-2.0
// Waiting for a process, signalling it, and signals meanwhile.
#include <signal.h>
#include <time.h>

#include <algorithm>
#include <thread>

#include "support/start_method_test.hpp"
#include "support/talk.hpp"

namespace mpc::test {
namespace {

class ProcessJoinTest : public StartMethodTest {};
MPC_UNDER_EVERY_START_METHOD(ProcessJoinTest);

// --- P04 -----------------------------------------------------------------------------------------

TEST_P(ProcessJoinTest, P04JoinWaitsUntilTheProcessHasEnded) {
  GroupPage<Talk> talk;
  mpc_process* process = start(wait_to_be_told, talk.get());
  ASSERT_TRUE(talk->ready.reaches(1));
  std::thread teller([&] { talk->go.set(1); });
  EXPECT_EQ(mpc_process_join(process, MPC_FOREVER), MPC_OK);
  teller.join();
  EXPECT_EQ(exit_code_of(process), 3);
}

TEST_P(ProcessJoinTest, P04JoinReturnsAtOnceWithATimeoutOf0) {
  GroupPage<Talk> talk;
  mpc_process* process = start(wait_to_be_told, talk.get());
  EXPECT_EQ(mpc_process_join(process, 0), MPC_ETIMEDOUT);
  talk->go.set(1);
  EXPECT_EQ(exit_code_of(process), 3);
  EXPECT_EQ(mpc_process_join(process, 0), MPC_OK);
}

TEST_P(ProcessJoinTest, P04JoinReturnsAtOnceWithANegativeTimeout) {
  GroupPage<Talk> talk;
  mpc_process* process = start(wait_to_be_told, talk.get());
  EXPECT_EQ(mpc_process_join(process, -2), MPC_ETIMEDOUT);
  EXPECT_EQ(mpc_process_join(process, -MPC_SECONDS(5)), MPC_ETIMEDOUT);
  EXPECT_EQ(mpc_process_join(process, INT64_MIN), MPC_ETIMEDOUT);
  talk->go.set(1);
  EXPECT_EQ(exit_code_of(process), 3);
  EXPECT_EQ(mpc_process_join(process, -2), MPC_OK);
}

TEST_P(ProcessJoinTest, P04JoinTimesOutNotBeforeItsTime) {
  GroupPage<Talk> talk;
  mpc_process* process = start(wait_to_be_told, talk.get());
  int64_t before = now_ns();
  EXPECT_EQ(mpc_process_join(process, MPC_MILLISECONDS(50)), MPC_ETIMEDOUT);
  EXPECT_GE(now_ns() - before, MPC_MILLISECONDS(50) - kTolerance);
  talk->go.set(1);
  EXPECT_EQ(exit_code_of(process), 3);
}

TEST_P(ProcessJoinTest, P04JoinTwiceTellsTheSame) {
  mpc_process* process = start(return_seven);
  EXPECT_EQ(exit_code_of(process), 7);
  EXPECT_EQ(exit_code_of(process), 7);
}

TEST_P(ProcessJoinTest, P04JoinIsRefusedBeforeTheStart) {
  EXPECT_EQ(mpc_process_join(make(nullptr, process_options()), 0), MPC_ESTATE);
}

TEST_P(ProcessJoinTest, P04JoinIsRefusedInAnotherProcess) {
  mpc_process* process = start(return_seven);
  EXPECT_EQ(wait_for(fork_and(
                [&] { return mpc_process_join(process, MPC_FOREVER) == MPC_ECHILD ? 0 : 1; })),
            0);
  EXPECT_EQ(exit_code_of(process), 7);
}

TEST_P(ProcessJoinTest, P04SeveralThreadsMayJoinOneProcess) {
  GroupPage<Talk> talk;
  mpc_process* process = start(wait_to_be_told, talk.get());
  std::vector<std::thread> threads;
  std::atomic<int> joined{0};
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      int exit_code = 0;
      bool good = mpc_process_join(process, MPC_FOREVER) == MPC_OK &&
                  mpc_process_exit_code(process, &exit_code) == MPC_OK && exit_code == 3;
      joined += good ? 1 : 0;
    });
  }
  talk->go.set(1);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(joined, 4);
}

// --- P11, P12 ------------------------------------------------------------------------------------

TEST_P(ProcessJoinTest, P11TerminateSendsSigterm) {
  GroupPage<Talk> talk;
  mpc_process* process = start(wait_for_a_signal, talk.get());
  EXPECT_EQ(mpc_process_terminate(process), MPC_OK);
  EXPECT_EQ(exit_code_of(process), -SIGTERM);
}

TEST_P(ProcessJoinTest, P11TerminateLeavesAProcessAloneThatHasEnded) {
  mpc_process* process = start(return_seven);
  ASSERT_TRUE(ends_within(pid_of(process), kLongEnough));
  EXPECT_EQ(mpc_process_terminate(process), MPC_OK);
  EXPECT_EQ(exit_code_of(process), 7);
  EXPECT_EQ(mpc_process_terminate(process), MPC_OK);
}

TEST_P(ProcessJoinTest, P11TerminateIsRefusedBeforeTheStart) {
  EXPECT_EQ(mpc_process_terminate(make(nullptr, process_options())), MPC_ESTATE);
}

int ignore_sigterm(const void* argument, size_t, const mpc_ref*, size_t) {
  signal(SIGTERM, SIG_IGN);
  return wait_to_be_told(argument, sizeof argument, nullptr, 0);
}

TEST_P(ProcessJoinTest, P12KillEndsAProcessThatIgnoresSigterm) {
  GroupPage<Talk> talk;
  mpc_process* process = start(ignore_sigterm, talk.get());
  ASSERT_TRUE(talk->ready.reaches(1));
  EXPECT_EQ(mpc_process_terminate(process), MPC_OK);
  EXPECT_EQ(mpc_process_join(process, MPC_MILLISECONDS(20)), MPC_ETIMEDOUT);
  EXPECT_EQ(mpc_process_kill(process), MPC_OK);
  EXPECT_EQ(exit_code_of(process), -SIGKILL);
}

TEST_P(ProcessJoinTest, P12KillEndsAProcessThatIsStopped) {
  GroupPage<Talk> talk;
  mpc_process* process = start(wait_for_a_signal, talk.get());
  kill(pid_of(process), SIGSTOP);
  ASSERT_TRUE(is_stopped(pid_of(process)));
  EXPECT_EQ(mpc_process_kill(process), MPC_OK);
  EXPECT_EQ(exit_code_of(process), -SIGKILL);
}

TEST_P(ProcessJoinTest, P12OnlyTheProcessThatMadeItMaySignalIt) {
  GroupPage<Talk> talk;
  mpc_process* process = start(wait_to_be_told, talk.get());
  EXPECT_EQ(wait_for(fork_and([&] {
              return mpc_process_kill(process) == MPC_ECHILD &&
                             mpc_process_terminate(process) == MPC_ECHILD
                         ? 0
                         : 1;
            })),
            0);
  talk->go.set(1);
  EXPECT_EQ(exit_code_of(process), 3);
}

// --- P20 -----------------------------------------------------------------------------------------

std::atomic<uint32_t> interruptions{0};
Count* told_of_interruptions = nullptr;

// A storm of signals with a handler that interrupts system calls. It hits this process alone:
// timers are not inherited.
class SignalStorm {
 public:
  explicit SignalStorm(Count* count = nullptr) {
    told_of_interruptions = count;
    struct sigaction action = {};
    action.sa_handler = [](int) {
      interruptions.fetch_add(1);
      if (told_of_interruptions != nullptr) told_of_interruptions->add();
    };
    sigaction(SIGUSR2, &action, &before_);
    sigevent event = {};
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = SIGUSR2;
    timer_create(CLOCK_MONOTONIC, &event, &timer_);
    itimerspec often{{0, 300'000}, {0, 300'000}};
    timer_settime(timer_, 0, &often, nullptr);
  }
  ~SignalStorm() {
    timer_delete(timer_);
    sigaction(SIGUSR2, &before_, nullptr);
  }

 private:
  struct sigaction before_;
  timer_t timer_;
};

int wait_for_a_hundred(const void* argument, size_t, const mpc_ref*, size_t) {
  return argument_as<Talk*>(argument)->number.reaches(100) ? 5 : 1;
}

TEST_P(ProcessJoinTest, P20JoinGoesOnAfterSignals) {
  GroupPage<Talk> talk;
  mpc_process* process = start(wait_for_a_hundred, talk.get());
  SignalStorm storm(&talk->number);
  EXPECT_EQ(mpc_process_join(process, MPC_FOREVER), MPC_OK);
  EXPECT_GE(talk->number.value(), 100u);
}

TEST_P(ProcessJoinTest, P20JoinKeepsItsTimeoutThroughSignals) {
  GroupPage<Talk> talk;
  mpc_process* process = start(wait_to_be_told, talk.get());
  uint32_t signals = interruptions.load();
  {
    SignalStorm storm;
    int64_t before = now_ns();
    EXPECT_EQ(mpc_process_join(process, MPC_MILLISECONDS(60)), MPC_ETIMEDOUT);
    EXPECT_GE(now_ns() - before, MPC_MILLISECONDS(60) - kTolerance);
  }
  EXPECT_GT(interruptions.load(), signals);
  talk->go.set(1);
  EXPECT_EQ(exit_code_of(process), 3);
}

int square(const void* item, void* result) {
  int64_t number = *static_cast<const int64_t*>(item);
  *static_cast<int64_t*>(result) = number * number;
  return 0;
}

TEST_P(ProcessJoinTest, P20StartsAndMapsGoOnThroughSignals) {
  std::vector<int64_t> items(20'000);
  std::vector<int64_t> results(items.size());
  for (size_t i = 0; i < items.size(); ++i) items[i] = static_cast<int64_t>(i);
  mpc_pool* pool = make_pool(2);
  uint32_t signals = interruptions.load();
  {
    SignalStorm storm;
    for (int round = 0; round < 5 || interruptions.load() < signals + 20; ++round) {
      std::fill(results.begin(), results.end(), -1);
      ASSERT_EQ(
          mpc_pool_map(pool, square, items.data(), items.size(), 8, results.data(), 8, nullptr),
          MPC_OK)
          << last_message();
      for (size_t i = 0; i < items.size(); ++i) ASSERT_EQ(results[i], items[i] * items[i]);
    }
    EXPECT_EQ(exit_code_of(start(return_seven)), 7);
  }
}

}  // namespace
}  // namespace mpc::test
