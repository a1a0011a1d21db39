// SPDX-License-Identifier: Apache-2.0
// The life of a fork server: interrupted, killed, stopped.
#include "capi/forkserver_test.hpp"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <thread>
#include <vector>

#include <mpc/mpc.h>

#include "support/talk.hpp"

namespace mpc::test {

namespace {

INSTANTIATE_TEST_SUITE_P(AllStartMethods, ForkServerTest, testing::Values(MPC_START_FORKSERVER),
                         start_method_label);

TEST_P(ForkServerTest, M13IsNoChildOfTheHost) {
  GroupPage<ServerPage> page;
  mpc_process* process = start_and_meet(page);
  errno = 0;
  EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1);
  EXPECT_EQ(errno, ECHILD);
  page->go.set(1);
  EXPECT_EQ(exit_code_of(process), 6);
}

TEST_P(ForkServerTest, M13AKilledServerCostsNoRunningWorkAndIsReplaced) {
  GroupPage<ServerPage> first;
  mpc_process* process = start_and_meet(first);
  ASSERT_EQ(kill(first->server, SIGKILL), 0);
  ASSERT_TRUE(ends_within(first->server, kLongEnough));
  GroupPage<ServerPage> second;
  mpc_process* another = start_and_meet(second);
  EXPECT_NE(second->server, first->server);
  first->go.set(1);
  second->go.set(1);
  EXPECT_EQ(exit_code_of(process), 6) << "by its own record";
  EXPECT_EQ(exit_code_of(another), 6);
}

TEST_P(ForkServerTest, M13ATerminatedServerCostsNoRunningWorkAndIsReplaced) {
  GroupPage<ServerPage> first;
  mpc_process* process = start_and_meet(first);
  ASSERT_EQ(kill(first->server, SIGTERM), 0);
  ASSERT_TRUE(ends_within(first->server, kLongEnough));
  EXPECT_NE(server(), first->server);
  first->go.set(1);
  EXPECT_EQ(exit_code_of(process), 6);
}

TEST_P(ForkServerTest, M13IgnoresAnInterrupt) {
  GroupPage<ServerPage> first;
  mpc_process* process = start_and_meet(first);
  ASSERT_EQ(kill(first->server, SIGINT), 0);
  GroupPage<ServerPage> second;
  mpc_process* another = start_and_meet(second);
  EXPECT_EQ(second->server, first->server);
  first->go.set(1);
  second->go.set(1);
  EXPECT_EQ(exit_code_of(process), 6);
  EXPECT_EQ(exit_code_of(another), 6);
}

TEST_P(ForkServerTest, M13AStoppedServerIsReplacedAndEnded) {
  GroupPage<ServerPage> first;
  mpc_process* process = start_and_meet(first);
  ASSERT_EQ(kill(first->server, SIGSTOP), 0);
  ASSERT_TRUE(is_stopped(first->server));
  GroupPage<ServerPage> second;
  mpc_process* another = start_and_meet(second);
  EXPECT_NE(second->server, first->server);
  EXPECT_TRUE(ends_within(first->server, kLongEnough));
  first->go.set(1);
  second->go.set(1);
  EXPECT_EQ(exit_code_of(process), 6);
  EXPECT_EQ(exit_code_of(another), 6);
}

// --- a pool over it --------------------------------------------------------------------------

struct MapItem {
  ServerPage* page;
  int64_t number;
};

// The first to get an item says who the server is, and waits until it is gone.
int square(const void* item, void* result) {
  const auto* taken = static_cast<const MapItem*>(item);
  if (taken->number == 0) {
    taken->page->server = getppid();
    taken->page->ready.add();
    if (!taken->page->go.reaches(1)) return 1;
  }
  *static_cast<int64_t*>(result) = taken->number * taken->number;
  return 0;
}

TEST_P(ForkServerTest, M13AServerThatIsKilledWhileAPoolMapsCostsNoItem) {
  constexpr size_t kItems = 2000;
  GroupPage<ServerPage> page;
  mpc_pool* pool = make_pool(2);
  std::vector<MapItem> items;
  for (size_t i = 0; i < kItems; ++i) items.push_back({page.get(), static_cast<int64_t>(i)});
  std::vector<int64_t> squares(kItems, -1);
  pid_t killer = fork_and([&] {
    if (!page->ready.reaches(1)) return 1;
    kill(page->server, SIGKILL);
    bool ended = ends_within(page->server, kLongEnough);
    page->go.set(1);
    return ended ? 0 : 2;
  });
  mpc_map_options options = MPC_MAP_OPTIONS_INIT;
  EXPECT_EQ(mpc_pool_map(pool, square, items.data(), kItems, sizeof(MapItem), squares.data(),
                         sizeof(int64_t), &options),
            MPC_OK)
      << last_message();
  EXPECT_EQ(wait_for(killer), 0);
  for (size_t i = 0; i < kItems; ++i) ASSERT_EQ(squares[i], static_cast<int64_t>(i * i));
  (void)server();  // there is one again, as before
}

constexpr uint32_t kStartsOfThread = 200;

// True if each of many processes, started one after the other, returned what it should.
bool starts_many(Count& ended) {
  bool right = true;
  for (uint32_t i = 0; i < kStartsOfThread; ++i) {
    right = finished(started(return_seven, nullptr, 0, MPC_START_FORKSERVER)) == 7 && right;
    ended.add();
  }
  return right;
}

TEST_P(ForkServerTest, M13AServerThatIsKilledWhileManyThreadsStartCostsNoStart) {
  constexpr uint32_t kThreads = 4;
  constexpr uint32_t kStartsBetweenKills = 20;
  Count ended;
  std::atomic<uint32_t> right{0};
  std::vector<std::thread> threads;
  for (uint32_t i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] { right += starts_many(ended) ? 1 : 0; });
  }
  for (uint32_t starts = 0; starts < kThreads * kStartsOfThread; starts += kStartsBetweenKills) {
    EXPECT_TRUE(ended.reaches(starts));
    kill(server_of_a_start(), SIGKILL);
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, kThreads);
  (void)server();  // there is one again, as before
}

}  // namespace
}  // namespace mpc::test
