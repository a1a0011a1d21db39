// SPDX-License-Identifier: Apache-2.0
// Workers that die: each costs the item in its hands and no other.
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <thread>

#include "pool_test.hpp"

namespace mpc::test {
namespace {

enum class End { kNone, kKill, kSegv, kAbort, kExit0, kExit3, kExecShort, kExecLong };

struct Task {
  int64_t number;
  End end;
};

struct Answer {
  int64_t number;
  int32_t pid;
};

int answer_or_end(const void* item, void* result) {
  auto task = *static_cast<const Task*>(item);
  char* nothing[] = {nullptr};
  switch (task.end) {
    case End::kNone:
      break;
    case End::kKill:
      raise(SIGKILL);
      break;
    case End::kSegv:
      signal(SIGSEGV, SIG_DFL);
      raise(SIGSEGV);
      break;
    case End::kAbort:
      signal(SIGABRT, SIG_DFL);
      abort();
    case End::kExit0:
      _exit(0);
    case End::kExit3:
      exit(3);
    case End::kExecShort:
      execle("/bin/true", "true", nullptr, nothing);
      _exit(99);
    case End::kExecLong:
      execle("/bin/sleep", "sleep", "1000", nullptr, nothing);
      _exit(99);
  }
  *static_cast<Answer*>(result) = Answer{task.number * 3, getpid()};
  return 0;
}

class PoolLossTest : public PoolTest {
 protected:
  void SetUp() override {
    PoolTest::SetUp();
    // A crash is meant here: no core file is wanted of it.
    getrlimit(RLIMIT_CORE, &core_);
    rlimit none{0, core_.rlim_max};
    setrlimit(RLIMIT_CORE, &none);
  }
  void TearDown() override {
    setrlimit(RLIMIT_CORE, &core_);
    PoolTest::TearDown();
  }

  static std::vector<Task> tasks(size_t count, std::vector<size_t> ending, End end) {
    std::vector<Task> tasks(count);
    for (size_t i = 0; i < count; ++i) tasks[i] = Task{static_cast<int64_t>(i), End::kNone};
    for (size_t i : ending) tasks[i].end = end;
    return tasks;
  }

  // Maps; exactly the items that end their worker are lost.
  void expect_lost(mpc_pool* pool, const std::vector<Task>& items, size_t chunk, int exit_code) {
    size_t losses = 0;
    size_t first = SIZE_MAX;
    mpc_status status = map(pool, answer_or_end, items, answers, chunks_of(chunk));
    for (size_t i = 0; i < items.size(); ++i) {
      SCOPED_TRACE(testing::Message() << "item " << i);
      if (items[i].end == End::kNone) {
        ASSERT_EQ(errors[i].status, MPC_OK);
        ASSERT_EQ(answers[i].number, static_cast<int64_t>(i) * 3);
        continue;
      }
      ++losses;
      first = std::min(first, i);
      EXPECT_EQ(errors[i].status, MPC_EWORKER_LOST);
      EXPECT_EQ(errors[i].exit_code, exit_code);
      EXPECT_GT(errors[i].pid, 0);
      EXPECT_GT(errors[i].worker, 0);
      EXPECT_EQ(answers[i].number, 0) << "a lost item's result is left as it was";
    }
    EXPECT_EQ(status, losses == 0 ? MPC_OK : MPC_EWORKER_LOST) << last_message();
    if (losses > 0) {
      EXPECT_EQ(last_message().find("item " + std::to_string(first) + " was lost: PoolWorker-"), 0u)
          << last_message();
    }
  }

  std::vector<Answer> answers;

 private:
  rlimit core_;
};
MPC_UNDER_EVERY_START_METHOD(PoolLossTest);

// --- L15 -----------------------------------------------------------------------------------------

TEST_P(PoolLossTest, L15TheFirstItemOfAChunkIsLostAlone) {
  expect_lost(make_pool(2), tasks(30, {10}, End::kKill), 10, -SIGKILL);
}

TEST_P(PoolLossTest, L15AnItemInTheMiddleOfAChunkIsLostAlone) {
  expect_lost(make_pool(2), tasks(30, {14}, End::kKill), 10, -SIGKILL);
}

TEST_P(PoolLossTest, L15TheLastItemOfAChunkIsLostAlone) {
  expect_lost(make_pool(2), tasks(30, {19}, End::kKill), 10, -SIGKILL);
}

TEST_P(PoolLossTest, L15TheFirstAndTheLastItemOfAMapMayBeLost) {
  expect_lost(make_pool(2), tasks(30, {0, 29}, End::kKill), 10, -SIGKILL);
}

TEST_P(PoolLossTest, L15SeveralItemsOfOneChunkMayBeLostOneAfterTheOther) {
  expect_lost(make_pool(2), tasks(20, {3, 4, 7}, End::kKill), 20, -SIGKILL);
}

TEST_P(PoolLossTest, L15TheOnlyItemMayBeLost) {
  expect_lost(make_pool(2), tasks(1, {0}, End::kKill), 1, -SIGKILL);
}

TEST_P(PoolLossTest, L15EveryItemMayBeLost) {
  std::vector<Task> items = tasks(8, {0, 1, 2, 3, 4, 5, 6, 7}, End::kKill);
  expect_lost(make_pool(2), items, 2, -SIGKILL);
}

TEST_P(PoolLossTest, L15EveryWorkerMayBeLostInTurn) {
  expect_lost(make_pool(3), tasks(60, {5, 15, 25, 35, 45, 55}, End::kKill), 1, -SIGKILL);
}

TEST_P(PoolLossTest, L15TheExitCodeOfACrashIsTold) {
  expect_lost(make_pool(2), tasks(20, {7}, End::kSegv), 5, -SIGSEGV);
  EXPECT_NE(last_message().find("was killed by SIGSEGV"), std::string::npos) << last_message();
}

TEST_P(PoolLossTest, L15AnAbortCostsTheItemAlone) {
  expect_lost(make_pool(2), tasks(20, {7}, End::kAbort), 5, -SIGABRT);
}

TEST_P(PoolLossTest, L15AWorkerThatExitsInAnItemLosesIt) {
  expect_lost(make_pool(2), tasks(20, {7}, End::kExit0), 5, 0);
  expect_lost(make_pool(2), tasks(20, {7}, End::kExit3), 5, 3);
  EXPECT_NE(last_message().find("exited with code 3"), std::string::npos) << last_message();
}

TEST_P(PoolLossTest, L15AWorkerThatBecomesAProgramThatEndsLosesItsItem) {
  expect_lost(make_pool(2), tasks(20, {7}, End::kExecShort), 5, 0);
}

TEST_P(PoolLossTest, L15AWorkerThatBecomesAProgramThatRunsOnIsEndedAndLosesItsItem) {
  expect_lost(make_pool(2), tasks(20, {7}, End::kExecLong), 5, -SIGKILL);
}

TEST_P(PoolLossTest, L15TheErrorNamesTheWorkerAndItsPid) {
  mpc_pool* pool = make_pool(1);
  std::set<int32_t> pids = worker_pids(pool, 1);
  expect_lost(pool, tasks(3, {1}, End::kKill), 3, -SIGKILL);
  EXPECT_EQ(errors[1].worker, 1);
  EXPECT_EQ(std::set<int32_t>{errors[1].pid}, pids);
  EXPECT_EQ(last_message(), "item 1 was lost: PoolWorker-1 (pid " + std::to_string(*pids.begin()) +
                                ") was killed by SIGKILL");
}

TEST_P(PoolLossTest, L15ALostWorkerIsReplaced) {
  mpc_pool* pool = make_pool(3);
  std::set<int32_t> before = worker_pids(pool, 3);
  expect_lost(pool, tasks(30, {10}, End::kKill), 10, -SIGKILL);
  std::set<int32_t> after = worker_pids(pool, 3);
  EXPECT_EQ(after.size(), 3u);
  EXPECT_EQ(after.count(errors[0].pid), 0u);
  std::vector<int32_t> stayed;
  std::set_intersection(before.begin(), before.end(), after.begin(), after.end(),
                        std::back_inserter(stayed));
  EXPECT_EQ(stayed.size(), 2u) << "the others are kept";
  uint32_t count;
  ASSERT_EQ(mpc_pool_worker_count(pool, &count), MPC_OK);
  EXPECT_EQ(count, 3u);
}

struct Together {
  Count* arrived;
  uint32_t all;
};

int die_together(const void* item, void*) {
  auto together = *static_cast<const Together*>(item);
  together.arrived->add();
  if (together.arrived->reaches(together.all)) raise(SIGKILL);
  return 1;
}

TEST_P(PoolLossTest, L15AllWorkersMayBeLostAtOnce) {
  mpc_pool* pool = make_pool(3);
  GroupPage<Count> arrived;
  std::vector<int64_t> results;
  EXPECT_EQ(
      map(pool, die_together, std::vector<Together>(3, {arrived.get(), 3}), results, chunks_of(1)),
      MPC_EWORKER_LOST);
  for (const mpc_item_error& error : errors) EXPECT_EQ(error.status, MPC_EWORKER_LOST);
  EXPECT_EQ(worker_pids(pool, 3).size(), 3u);
}

TEST_P(PoolLossTest, L15AnIdleWorkerThatDiesCostsNothing) {
  mpc_pool* pool = make_pool(2);
  std::set<int32_t> before = worker_pids(pool, 2);
  int32_t victim = *before.begin();
  kill(victim, SIGKILL);
  ASSERT_TRUE(ends_within(victim, kLongEnough));
  std::set<int32_t> after = worker_pids(pool, 2);
  EXPECT_EQ(after.size(), 2u);
  EXPECT_EQ(after.count(victim), 0u);
}

TEST_P(PoolLossTest, L15AllIdleWorkersMayDieBetweenMaps) {
  mpc_pool* pool = make_pool(2);
  for (int round = 0; round < 3; ++round) {
    for (int32_t pid : worker_pids(pool, 2)) {
      kill(pid, SIGKILL);
      ASSERT_TRUE(ends_within(pid, kLongEnough));
    }
    expect_works(pool);
  }
}

TEST_P(PoolLossTest, L15AMapAfterALossIsWhole) {
  mpc_pool* pool = make_pool(2);
  expect_lost(pool, tasks(40, {3, 21}, End::kKill), 4, -SIGKILL);
  expect_lost(pool, tasks(1000, {}, End::kNone), 0, 0);
}

TEST_P(PoolLossTest, L15LossesLeaveDescriptorsMemoryAndParticipantsAsTheyWere) {
  mpc_pool* pool = make_pool(2);
  expect_lost(pool, tasks(20, {4}, End::kKill), 4, -SIGKILL);
  (void)worker_pids(pool, 2);
  mpc_group_stats stats = swept_stats();
  size_t descriptors = MachineState::now().descriptors.size();
  for (int round = 0; round < 10; ++round) {
    expect_lost(pool, tasks(20, {4, 13}, End::kKill), 4, -SIGKILL);
    (void)worker_pids(pool, 2);
  }
  EXPECT_EQ(MachineState::now().descriptors.size(), descriptors);
  expect_group_as_before(stats);
}

// --- slow is not dead ----------------------------------------------------------------------------

struct Pause {
  Count pid;
  Count others;
  Count go;
};

struct PauseTask {
  Pause* pause;
  int32_t stops;
};

int stop_or_count(const void* item, void* result) {
  auto task = *static_cast<const PauseTask*>(item);
  *static_cast<int64_t*>(result) = 9;
  if (task.stops == 0) {
    task.pause->others.add();
    return 0;
  }
  task.pause->pid.set(static_cast<uint32_t>(getpid()));
  raise(SIGSTOP);
  return 0;
}

TEST_P(PoolLossTest, AStoppedWorkerIsNotTakenForDead) {
  GroupPage<Pause> page;
  std::vector<PauseTask> items(50, PauseTask{page.get(), 0});
  items[0].stops = 1;
  std::atomic<bool> ended{true};
  std::thread watcher([&] {
    if (!page->pid.reaches(1)) return;
    auto pid = static_cast<pid_t>(page->pid.value());
    if (!is_stopped(pid) || !page->others.reaches(49)) return;
    ended = ends_within(pid, kLongerThanAnyTick);
    kill(pid, SIGCONT);
  });
  std::vector<int64_t> results;
  EXPECT_EQ(map(make_pool(2), stop_or_count, items, results, chunks_of(1)), MPC_OK)
      << last_message();
  watcher.join();
  EXPECT_FALSE(ended);
  EXPECT_EQ(std::count(results.begin(), results.end(), 9), 50);
}

int wait_long(const void* item, void* result) {
  auto* page = *static_cast<Pause* const*>(item);
  page->pid.set(static_cast<uint32_t>(getpid()));
  *static_cast<int64_t*>(result) = 9;
  return page->go.reaches(1) ? 0 : 1;
}

TEST_P(PoolLossTest, AWorkerThatTakesLongIsNotTakenForDead) {
  GroupPage<Pause> page;
  std::atomic<bool> ended{true};
  std::thread watcher([&] {
    if (page->pid.reaches(1)) {
      ended = ends_within(static_cast<pid_t>(page->pid.value()), kLongerThanAnyTick);
    }
    page->go.set(1);
  });
  std::vector<int64_t> results;
  EXPECT_EQ(map(make_pool(1), wait_long, std::vector<Pause*>(2, page.get()), results), MPC_OK);
  watcher.join();
  EXPECT_FALSE(ended);
}

// --- workers that cannot live --------------------------------------------------------------------

// While the file exists that this variable names, whatever begins here ends: a fresh image at its
// constructors, a fork at its first step.
constexpr const char* kDeadly = "MPC_TEST_DEADLY_FILE";

void end_if_deadly() {
  const char* file = getenv(kDeadly);
  if (file != nullptr && access(file, F_OK) == 0) _exit(66);
}

[[gnu::constructor]] void watch_births() {
  end_if_deadly();
  pthread_atfork(nullptr, nullptr, end_if_deadly);
}

class PoolLossProgramTest : public ProgramTest {};
MPC_UNDER_EVERY_START_METHOD(PoolLossProgramTest);

MPC_PROGRAM(kills_its_workers_at_birth) {
  constexpr int kNumber = 200;
  std::string file = "/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(kNumber);
  MUST(setenv(kDeadly, file.c_str(), 1) == 0);
  // What forks the workers has to live.
  mpc_process* process;
  MUST(mpc_process_create(nullptr, nullptr, &process) == MPC_OK);
  MUST(mpc_process_start(process) == MPC_OK);
  MUST(mpc_process_join(process, MPC_FOREVER) == MPC_OK);
  MUST(mpc_process_destroy(process) == MPC_OK);
  mpc_pool* pool;
  mpc_pool_options options = MPC_POOL_OPTIONS_INIT;
  options.workers = 2;
  MUST(mpc_pool_create(&options, &pool) == MPC_OK);
  MUST(dup3(STDERR_FILENO, kNumber, O_CLOEXEC) == kNumber);
  int64_t item = 1;
  int64_t result;
  MUST(mpc_pool_map(pool, square, &item, 1, 8, &result, 8, nullptr) == MPC_EWORKER_LOST);
  MUST(last_message().find("exited with code 66") != std::string::npos ||
       last_message().find("exited with code 255") != std::string::npos);
  MUST(mpc_pool_destroy(pool) == MPC_OK);
  close(kNumber);
  MUST(mpc_pool_create(&options, &pool) == MPC_OK);
  MUST(mpc_pool_map(pool, square, &item, 1, 8, &result, 8, nullptr) == MPC_OK);
  MUST(mpc_pool_destroy(pool) == MPC_OK);
  return 0;
}

TEST_P(PoolLossProgramTest, L15WorkersThatDieBeforeTheyTakeWorkEndTheMap) {
  EXPECT_EQ(run_program("kills_its_workers_at_birth"), 0);
}

// --- L15 with results of any size ----------------------------------------------------------------

int put_and_perhaps_die(const void* item, size_t size, mpc_result* result) {
  auto text = static_cast<const char*>(item);
  std::string big(3 << 20, size > 0 ? text[0] : '-');
  if (mpc_result_put(result, big.data(), size > 1 ? big.size() : 5) != MPC_OK) return 1;
  if (size > 0 && text[0] == 'k') raise(SIGKILL);
  return 0;
}

TEST_P(PoolLossTest, L15ALostItemOfABytesMapHasAnEmptyResult) {
  mpc_pool* pool = make_pool(2);
  std::vector<std::string> items = {"a", "kk", "bb", "k", "", "cc", "kk", "d"};
  std::vector<mpc_bytes> bytes;
  for (const std::string& item : items) bytes.push_back({item.data(), item.size()});
  std::vector<mpc_buffer> results(items.size());
  std::vector<mpc_item_error> all(items.size());
  mpc_map_options options = chunks_of(4);
  options.errors = all.data();
  EXPECT_EQ(mpc_pool_map_bytes(pool, put_and_perhaps_die, bytes.data(), bytes.size(),
                               results.data(), &options),
            MPC_EWORKER_LOST);
  for (size_t i = 0; i < items.size(); ++i) {
    SCOPED_TRACE(i);
    bool lost = !items[i].empty() && items[i][0] == 'k';
    EXPECT_EQ(all[i].status, lost ? MPC_EWORKER_LOST : MPC_OK);
    EXPECT_EQ(results[i].size, lost ? 0u : items[i].size() > 1 ? 3u << 20 : 5u);
    if (results[i].size > 0) {
      char expected = items[i].empty() ? '-' : items[i][0];
      auto data = static_cast<const char*>(results[i].data);
      EXPECT_EQ(std::count(data, data + results[i].size, expected),
                static_cast<ptrdiff_t>(results[i].size));
    }
    mpc_buffer_free(&results[i]);
  }
}

}  // namespace
}  // namespace mpc::test
