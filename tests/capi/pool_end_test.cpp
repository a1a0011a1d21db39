// SPDX-License-Identifier: Apache-2.0
// Closing, joining, terminating and destroying a pool.
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

#include "pool_test.hpp"

namespace mpc::test {
namespace {

class PoolEndTest : public PoolTest {};
MPC_UNDER_EVERY_START_METHOD(PoolEndTest);

// --- L13 -----------------------------------------------------------------------------------------

TEST_P(PoolEndTest, L13AClosedPoolTakesNoMoreWork) {
  mpc_pool* pool = make_pool(2);
  expect_works(pool);
  ASSERT_EQ(mpc_pool_close(pool), MPC_OK);
  std::vector<int64_t> results;
  EXPECT_EQ(map(pool, square, numbers_to(3), results), MPC_ECLOSED);
  EXPECT_EQ(mpc_pool_close(pool), MPC_OK);
  EXPECT_EQ(mpc_pool_join(pool, MPC_FOREVER), MPC_OK);
  EXPECT_EQ(mpc_pool_join(pool, 0), MPC_OK);
}

TEST_P(PoolEndTest, L13JoiningARunningPoolIsRefused) {
  mpc_pool* pool = make_pool(2);
  EXPECT_EQ(mpc_pool_join(pool, MPC_FOREVER), MPC_ESTATE);
  expect_works(pool);
  EXPECT_EQ(mpc_pool_join(pool, 0), MPC_ESTATE);
}

TEST_P(PoolEndTest, L13AfterJoinTheWorkersAreGone) {
  mpc_pool* pool = make_pool(3);
  std::set<int32_t> pids = worker_pids(pool, 3);
  ASSERT_EQ(mpc_pool_close(pool), MPC_OK);
  ASSERT_EQ(mpc_pool_join(pool, MPC_FOREVER), MPC_OK);
  for (int32_t pid : pids) EXPECT_EQ(kill(pid, 0), -1) << pid;
}

TEST_P(PoolEndTest, L13APoolThatNeverWorkedCanBeClosedAndJoined) {
  mpc_pool* pool = make_pool(2);
  EXPECT_EQ(mpc_pool_close(pool), MPC_OK);
  EXPECT_EQ(mpc_pool_join(pool, 0), MPC_OK);
}

TEST_P(PoolEndTest, L13ATerminatedPoolTakesNoMoreWorkAndItsWorkersAreGone) {
  mpc_pool* pool = make_pool(3);
  std::set<int32_t> pids = worker_pids(pool, 3);
  ASSERT_EQ(mpc_pool_terminate(pool), MPC_OK);
  for (int32_t pid : pids) EXPECT_EQ(kill(pid, 0), -1) << pid;
  std::vector<int64_t> results;
  EXPECT_EQ(map(pool, square, numbers_to(3), results), MPC_ETERMINATED);
  EXPECT_EQ(mpc_pool_terminate(pool), MPC_OK);
  EXPECT_EQ(mpc_pool_close(pool), MPC_OK);
  EXPECT_EQ(mpc_pool_join(pool, 0), MPC_OK);
}

// Of a worker's image.
[[gnu::constructor]] void end_early() {
  if (getenv("MPC_TEST_END_EARLY") != nullptr) _exit(0);
}

struct Told {
  mpc_pool* pool;
  bool that_it_did_not_begin;
};

void terminate_pool(mpc_log_level, const char* line, void* user_data) {
  auto* told = static_cast<Told*>(user_data);
  if (strstr(line, "ended before its function was called") != nullptr) {
    told->that_it_did_not_begin = true;
    (void)mpc_pool_terminate(told->pool);
  }
}

class PoolOfImagesTest : public PoolTest {};
INSTANTIATE_TEST_SUITE_P(FreshImages, PoolOfImagesTest, testing::Values(MPC_START_SPAWN),
                         start_method_label);

TEST_P(PoolOfImagesTest, WhoIsToldThatAWorkerDidNotBeginMayTerminateThePool) {
  mpc_pool* pool = make_pool(1);
  Told told{pool, false};
  mpc_log_set(MPC_LOG_WARNING, terminate_pool, &told);
  setenv("MPC_TEST_END_EARLY", "1", 1);
  std::vector<int64_t> results;
  mpc_status status = map(pool, square, numbers_to(3), results);
  unsetenv("MPC_TEST_END_EARLY");
  mpc_log_set(MPC_LOG_OFF, nullptr, nullptr);
  EXPECT_TRUE(told.that_it_did_not_begin);
  EXPECT_EQ(status, MPC_ETERMINATED);
}

struct Gate {
  Count entered;
  Count open;
};

int pass_gate(const void* item, void* result) {
  auto* gate = *static_cast<Gate* const*>(item);
  *static_cast<int64_t*>(result) = 5;
  gate->entered.add();
  return gate->open.reaches(1) ? 0 : 1;
}

TEST_P(PoolEndTest, L13TerminateFromAnotherThreadEndsARunningMap) {
  GroupPage<Gate> gate;
  mpc_pool* pool = make_pool(2);
  std::thread terminator([&] {
    if (gate->entered.reaches(2)) (void)mpc_pool_terminate(pool);
  });
  std::vector<int64_t> results;
  EXPECT_EQ(map(pool, pass_gate, std::vector<Gate*>(10'000, gate.get()), results), MPC_ETERMINATED);
  terminator.join();
}

TEST_P(PoolEndTest, L13DestroyFromAnotherThreadEndsARunningMap) {
  GroupPage<Gate> gate;
  mpc_pool* pool = make_pool(2);
  mpc_status destroyed = MPC_EINTERNAL;
  std::thread destroyer([&] {
    if (gate->entered.reaches(2)) destroyed = mpc_pool_destroy(pool);
  });
  std::vector<int64_t> results;
  EXPECT_EQ(map(pool, pass_gate, std::vector<Gate*>(100, gate.get()), results), MPC_ETERMINATED);
  destroyer.join();
  EXPECT_EQ(destroyed, MPC_OK);
  EXPECT_EQ(mpc_pool_destroy(pool), MPC_EINVAL);
}

TEST_P(PoolEndTest, L13CloseDuringAMapLetsItFinish) {
  GroupPage<Gate> gate;
  mpc_pool* pool = make_pool(2);
  mpc_status closed = MPC_EINTERNAL;
  mpc_status early = MPC_EINTERNAL;
  std::thread closer([&] {
    if (!gate->entered.reaches(2)) return;
    closed = mpc_pool_close(pool);
    early = mpc_pool_join(pool, 0);
    gate->open.set(1);
  });
  std::vector<int64_t> results;
  EXPECT_EQ(map(pool, pass_gate, std::vector<Gate*>(500, gate.get()), results), MPC_OK);
  closer.join();
  EXPECT_EQ(closed, MPC_OK);
  EXPECT_EQ(early, MPC_ETIMEDOUT);
  EXPECT_EQ(std::count(results.begin(), results.end(), 5), 500);
  EXPECT_EQ(mpc_pool_join(pool, MPC_FOREVER), MPC_OK);
}

int block_sigterm_and_wait(const void* item, void*) {
  signal(SIGTERM, SIG_IGN);
  auto* gate = *static_cast<Gate* const*>(item);
  gate->entered.add();
  return gate->open.reaches(1) ? 0 : 1;
}

TEST_P(PoolEndTest, L13TerminateEndsWorkersThatIgnoreSigterm) {
  GroupPage<Gate> gate;
  mpc_pool* pool = make_pool(2);
  std::thread terminator([&] {
    if (gate->entered.reaches(2)) (void)mpc_pool_terminate(pool);
  });
  std::vector<int64_t> results;
  EXPECT_EQ(map(pool, block_sigterm_and_wait, std::vector<Gate*>(4, gate.get()), results),
            MPC_ETERMINATED);
  terminator.join();
}

TEST_P(PoolEndTest, L16DestroyEndsALivePool) {
  mpc_pool_options options = pool_options(3);
  mpc_pool* pool;
  ASSERT_EQ(mpc_pool_create(&options, &pool), MPC_OK);
  std::set<int32_t> pids = worker_pids(pool, 3);
  EXPECT_EQ(mpc_pool_destroy(pool), MPC_OK);
  for (int32_t pid : pids) EXPECT_EQ(kill(pid, 0), -1) << pid;
  EXPECT_EQ(mpc_pool_destroy(pool), MPC_EINVAL);
}

TEST_P(PoolEndTest, L16DestroyInAForkedChildLeavesTheParentsPoolAlone) {
  mpc_pool* pool = make_pool(2);
  std::set<int32_t> pids = worker_pids(pool, 2);
  EXPECT_EQ(wait_for(fork_and([&] { return mpc_pool_destroy(pool) == MPC_OK ? 0 : 1; })), 0);
  EXPECT_EQ(worker_pids(pool, 2), pids);
}

TEST_P(PoolEndTest, APoolIsItsMakersAlone) {
  mpc_pool* pool = make_pool(2);
  expect_works(pool);
  EXPECT_EQ(wait_for(fork_and([&] {
              int64_t item = 1;
              int64_t result;
              return mpc_pool_map(pool, square, &item, 1, 8, &result, 8, nullptr) == MPC_ECHILD &&
                             mpc_pool_close(pool) == MPC_ECHILD &&
                             mpc_pool_terminate(pool) == MPC_ECHILD &&
                             mpc_pool_join(pool, 0) == MPC_ECHILD
                         ? 0
                         : 1;
            })),
            0);
  expect_works(pool);
}

}  // namespace
}  // namespace mpc::test
