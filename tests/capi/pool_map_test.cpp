// SPDX-License-Identifier: Apache-2.0
// What a map gives back while nothing goes wrong, and how a pool ends.
#include <dlfcn.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <thread>

#include "pool_test.hpp"

namespace mpc::test {
namespace {

class PoolMapTest : public PoolTest {};
MPC_UNDER_EVERY_START_METHOD(PoolMapTest);

// --- workers -------------------------------------------------------------------------------------

TEST_P(PoolMapTest, APoolHasAsManyWorkersAsCpusUnlessToldOtherwise) {
  uint32_t count = 0;
  ASSERT_EQ(mpc_pool_worker_count(make_pool(0), &count), MPC_OK);
  EXPECT_EQ(count, mpc_process_cpu_count());
  ASSERT_EQ(mpc_pool_worker_count(make_pool(3), &count), MPC_OK);
  EXPECT_EQ(count, 3u);
}

TEST_P(PoolMapTest, MoreThan4000WorkersAndUnknownStartMethodsAreRefused) {
  mpc_pool* pool = nullptr;
  mpc_pool_options options = pool_options(4001);
  EXPECT_EQ(mpc_pool_create(&options, &pool), MPC_EINVAL);
  options = pool_options(1);
  options.start_method = 99;
  EXPECT_EQ(mpc_pool_create(&options, &pool), MPC_EINVAL);
  EXPECT_EQ(pool, nullptr);
}

struct WorkerFacts {
  char name[64];
  int32_t sigint_ignored;
  int32_t sigwinch_blocked;
  int32_t stdin_at_end;
};

int tell_facts(const void*, void* result) {
  auto* facts = static_cast<WorkerFacts*>(result);
  *facts = {};
  mpc_process_current_name(facts->name, sizeof facts->name);
  struct sigaction action;
  sigaction(SIGINT, nullptr, &action);
  facts->sigint_ignored = action.sa_handler == SIG_IGN;
  sigset_t mask;
  pthread_sigmask(SIG_BLOCK, nullptr, &mask);
  facts->sigwinch_blocked = sigismember(&mask, SIGWINCH);
  char byte;
  facts->stdin_at_end = read(STDIN_FILENO, &byte, 1) == 0;
  return 0;
}

TEST_P(PoolMapTest, WorkersAreNamedIgnoreSigintAndHaveTheMaskOfTheirOwner) {
  sigset_t mask;
  sigset_t before;
  sigemptyset(&mask);
  sigaddset(&mask, SIGWINCH);
  pthread_sigmask(SIG_BLOCK, &mask, &before);
  std::vector<WorkerFacts> facts;
  EXPECT_EQ(map(make_pool(1), tell_facts, numbers_to(1), facts), MPC_OK) << last_message();
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  EXPECT_STREQ(facts[0].name, "PoolWorker-1");
  EXPECT_EQ(facts[0].sigint_ignored, 1);
  EXPECT_EQ(facts[0].sigwinch_blocked, 1);
  EXPECT_EQ(facts[0].stdin_at_end, 1);
}

TEST_P(PoolMapTest, ThereAreAsManyWorkersAsAskedForAndTheyAreProcesses) {
  std::set<int32_t> pids = worker_pids(make_pool(4), 4);
  EXPECT_EQ(pids.size(), 4u);
  EXPECT_EQ(pids.count(getpid()), 0u);
}

// --- L04: results --------------------------------------------------------------------------------

TEST_P(PoolMapTest, L04ResultsAreInTheOrderOfTheItemsForEveryCount) {
  mpc_pool* pool = make_pool(3);
  for (size_t count : {0, 1, 2, 3, 10, 11, 12, 13, 1000, 100'000}) {
    SCOPED_TRACE(count);
    std::vector<int64_t> items = numbers_to(count);
    std::vector<int64_t> results;
    ASSERT_EQ(map(pool, square, items, results), MPC_OK) << last_message();
    for (size_t i = 0; i < count; ++i) ASSERT_EQ(results[i], items[i] * items[i]);
  }
}

template <size_t kSize>
int reverse(const void* item, void* result) {
  auto bytes = static_cast<const unsigned char*>(item);
  std::reverse_copy(bytes, bytes + kSize, static_cast<unsigned char*>(result));
  return 0;
}

template <size_t kSize>
void expect_reversed(mpc_pool* pool, size_t count) {
  SCOPED_TRACE(testing::Message() << count << " items of " << kSize << " bytes");
  std::vector<unsigned char> items(count * kSize);
  std::vector<unsigned char> results(count * kSize, 0xee);
  uint32_t seed = 1;
  for (unsigned char& byte : items) {
    seed = seed * 1664525 + 1013904223;
    byte = static_cast<unsigned char>(seed >> 24);
  }
  ASSERT_EQ(mpc_pool_map(pool, reverse<kSize>, items.data(), count, kSize, results.data(), kSize,
                         nullptr),
            MPC_OK)
      << last_message();
  for (size_t i = 0; i < count; ++i) {
    ASSERT_TRUE(std::equal(
        items.begin() + static_cast<ptrdiff_t>(i * kSize),
        items.begin() + static_cast<ptrdiff_t>((i + 1) * kSize),
        std::make_reverse_iterator(results.begin() + static_cast<ptrdiff_t>((i + 1) * kSize))))
        << "item " << i;
  }
}

TEST_P(PoolMapTest, L04ResultsAreRightForItemsOfEverySize) {
  mpc_pool* pool = make_pool(3);
  for (size_t count : {1, 2, 10, 1000, 20'000}) {
    expect_reversed<1>(pool, count);
    expect_reversed<3>(pool, count);
    expect_reversed<8>(pool, count);
    expect_reversed<100>(pool, count);
  }
}

TEST_P(PoolMapTest, L04ResultsAreRightForItemsOfAMebibyte) {
  mpc_pool* pool = make_pool(2);
  for (size_t count : {1, 2, 10}) expect_reversed<1 << 20>(pool, count);
}

int count_call(const void*, void* result) {
  *static_cast<int32_t*>(result) = 7;
  return 0;
}

TEST_P(PoolMapTest, L04ItemsMayHaveNoBytes) {
  std::vector<int32_t> results(1000, 0);
  ASSERT_EQ(mpc_pool_map(make_pool(2), count_call, nullptr, results.size(), 0, results.data(),
                         sizeof results[0], nullptr),
            MPC_OK)
      << last_message();
  EXPECT_EQ(std::count(results.begin(), results.end(), 7), 1000);
}

int add_item(const void* item, void*) {
  (*static_cast<Count* const*>(item))->add();
  return 0;
}

TEST_P(PoolMapTest, L04ResultsMayHaveNoBytes) {
  GroupPage<Count> calls;
  std::vector<Count*> items(1000, calls.get());
  ASSERT_EQ(mpc_pool_map(make_pool(2), add_item, items.data(), items.size(), sizeof items[0],
                         nullptr, 0, nullptr),
            MPC_OK)
      << last_message();
  EXPECT_EQ(calls->value(), 1000u) << "each item is worked on once";
}

TEST_P(PoolMapTest, L04AnEmptyMapNeedsNoWorkersAndNoArrays) {
  EXPECT_EQ(mpc_pool_map(make_pool(2), square, nullptr, 0, 8, nullptr, 8, nullptr), MPC_OK);
}

int change_item(const void* item, void* result) {
  auto* number = static_cast<int64_t*>(const_cast<void*>(item));
  *number = -1;
  *static_cast<int64_t*>(result) = 1;
  return 0;
}

TEST_P(PoolMapTest, L04WhatAFunctionDoesToItsItemGoesNowhere) {
  std::vector<int64_t> items = numbers_to(100);
  std::vector<int64_t> results;
  ASSERT_EQ(map(make_pool(2), change_item, items, results), MPC_OK);
  EXPECT_EQ(items, numbers_to(100));
}

struct alignas(64) Line {
  int64_t number;
};

int look_at_alignment(const void* item, void* result) {
  bool good =
      reinterpret_cast<uintptr_t>(item) % 64 == 0 && reinterpret_cast<uintptr_t>(result) % 64 == 0;
  return good ? 0 : 1;
}

TEST_P(PoolMapTest, L04ItemsAndResultsAreAlignedAsInTheirArrays) {
  std::vector<Line> items(500);
  std::vector<Line> results;
  EXPECT_EQ(map(make_pool(2), look_at_alignment, items, results), MPC_OK) << last_message();
}

// --- L04: chunks ---------------------------------------------------------------------------------

struct Progress {
  std::vector<size_t> steps;  // by how much it went on each time
  size_t last = 0;
  size_t count = 0;
  std::thread::id thread;
};

void note_progress(size_t done, size_t count, void* user_data) {
  auto* progress = static_cast<Progress*>(user_data);
  progress->steps.push_back(done - progress->last);
  progress->last = done;
  progress->count = count;
  progress->thread = std::this_thread::get_id();
}

TEST_P(PoolMapTest, L04ChunksAreAQuarterOfAWorkersShareRoundedUp) {
  mpc_pool* pool = make_pool(2);
  // {count, size of a chunk}: ceil(count / 8) for two workers.
  for (auto [count, chunk] : {std::pair<size_t, size_t>(1, 1), {8, 1}, {9, 2}, {100, 13}}) {
    SCOPED_TRACE(count);
    Progress progress;
    mpc_map_options options = MPC_MAP_OPTIONS_INIT;
    options.progress = note_progress;
    options.user_data = &progress;
    std::vector<int64_t> results;
    ASSERT_EQ(map(pool, square, numbers_to(count), results, options), MPC_OK);
    std::sort(progress.steps.begin(), progress.steps.end(), std::greater<>());
    ASSERT_EQ(progress.steps.size(), (count + chunk - 1) / chunk);
    EXPECT_EQ(progress.steps.front(), chunk);
    EXPECT_EQ(progress.steps.back(), count % chunk == 0 ? chunk : count % chunk);
  }
}

TEST_P(PoolMapTest, L04ProgressIsToldInTheThreadOfTheMapUpToTheEnd) {
  Progress progress;
  mpc_map_options options = chunks_of(7);
  options.progress = note_progress;
  options.user_data = &progress;
  std::vector<int64_t> results;
  ASSERT_EQ(map(make_pool(2), square, numbers_to(1000), results, options), MPC_OK);
  EXPECT_EQ(progress.last, 1000u);
  EXPECT_EQ(progress.count, 1000u);
  EXPECT_EQ(progress.thread, std::this_thread::get_id());
  for (size_t step : progress.steps) EXPECT_GT(step, 0u);
}

struct Turn {
  int32_t pid;
  int32_t number;  // how many items this process had before
};

int take_turn(const void*, void* result) {
  static int32_t turns = 0;
  *static_cast<Turn*>(result) = Turn{getpid(), turns++};
  return 0;
}

TEST_P(PoolMapTest, L04AChunkRunsInOneWorkerInOrder) {
  std::vector<Turn> turns;
  ASSERT_EQ(map(make_pool(3), take_turn, numbers_to(205), turns, chunks_of(10)), MPC_OK);
  for (size_t i = 0; i < turns.size(); ++i) {
    if (i % 10 == 0) continue;
    EXPECT_EQ(turns[i].pid, turns[i - 1].pid) << "item " << i;
    EXPECT_EQ(turns[i].number, turns[i - 1].number + 1) << "item " << i;
  }
}

TEST_P(PoolMapTest, L04AChunkMayBeLargerThanTheArray) {
  std::vector<Turn> turns;
  ASSERT_EQ(map(make_pool(3), take_turn, numbers_to(5), turns, chunks_of(SIZE_MAX)), MPC_OK);
  for (const Turn& turn : turns) EXPECT_EQ(turn.pid, turns[0].pid);
}

// --- L04: items that fail ------------------------------------------------------------------------

int fail_at_multiples_of_ten(const void* item, void* result) {
  int64_t number = *static_cast<const int64_t*>(item);
  if (number % 10 == 5) return static_cast<int>(number);
  *static_cast<int64_t*>(result) = number + 1;
  return 0;
}

TEST_P(PoolMapTest, L04AllItemsAreTriedAfterOneHasFailed) {
  std::vector<int64_t> items = numbers_to(200);
  std::vector<int64_t> results;
  EXPECT_EQ(map(make_pool(2), fail_at_multiples_of_ten, items, results), MPC_ETASK);
  for (size_t i = 0; i < items.size(); ++i) {
    SCOPED_TRACE(i);
    bool failed = i % 10 == 5;
    EXPECT_EQ(errors[i].status, failed ? MPC_ETASK : MPC_OK);
    EXPECT_EQ(errors[i].code, failed ? static_cast<int>(i) : 0);
    EXPECT_EQ(errors[i].pid, 0);
    EXPECT_EQ(results[i], failed ? 0 : items[i] + 1);
  }
}

TEST_P(PoolMapTest, L04TheMessageIsThatOfTheFirstFailureInOrder) {
  std::vector<int64_t> results;
  for (int round = 0; round < 20; ++round) {
    ASSERT_EQ(map(make_pool(2), fail_at_multiples_of_ten, numbers_to(100), results, chunks_of(1)),
              MPC_ETASK);
    EXPECT_EQ(last_message(), "item 5 failed: the function returned 5");
  }
}

TEST_P(PoolMapTest, L04ErrorsOfAMapThatSucceedsAreAllWritten) {
  std::vector<int64_t> items = numbers_to(50);
  std::vector<int64_t> results(items.size());
  std::vector<mpc_item_error> all(items.size(), mpc_item_error{-99, -99, -99, -99, -99, -99});
  mpc_map_options options = MPC_MAP_OPTIONS_INIT;
  options.errors = all.data();
  ASSERT_EQ(mpc_pool_map(make_pool(2), square, items.data(), items.size(), 8, results.data(), 8,
                         &options),
            MPC_OK);
  for (const mpc_item_error& error : all) {
    EXPECT_EQ(error.status, MPC_OK);
    EXPECT_EQ(error.code, 0);
    EXPECT_EQ(error.worker, 0);
    EXPECT_EQ(error.exit_code, 0);
  }
}

// --- several at once -----------------------------------------------------------------------------

TEST_P(PoolMapTest, TwoThreadsMayMapAtOnce) {
  mpc_pool* pool = make_pool(2);
  std::atomic<int> wrong{0};
  auto work = [&](int64_t offset) {
    for (int round = 0; round < 20; ++round) {
      std::vector<int64_t> items(500);
      std::vector<int64_t> results(items.size());
      std::iota(items.begin(), items.end(), offset);
      if (mpc_pool_map(pool, square, items.data(), items.size(), 8, results.data(), 8, nullptr)) {
        ++wrong;
      }
      for (size_t i = 0; i < items.size(); ++i) wrong += results[i] != items[i] * items[i];
    }
  };
  std::thread other(work, 1'000'000);
  work(0);
  other.join();
  EXPECT_EQ(wrong, 0);
}

TEST_P(PoolMapTest, SeveralPoolsWorkSideBySide) {
  mpc_pool* first = make_pool(2);
  mpc_pool* second = make_pool(3);
  for (int round = 0; round < 5; ++round) {
    expect_works(first);
    expect_works(second);
  }
}

int map_in_child(const void*, size_t, const mpc_ref*, size_t) {
  mpc_pool* pool;
  mpc_pool_options options = MPC_POOL_OPTIONS_INIT;
  options.workers = 2;
  MUST(mpc_pool_create(&options, &pool) == MPC_OK);
  std::vector<int64_t> items = numbers_to(100);
  std::vector<int64_t> results(items.size());
  MUST(mpc_pool_map(pool, square, items.data(), items.size(), 8, results.data(), 8, nullptr) ==
       MPC_OK);
  for (size_t i = 0; i < items.size(); ++i) MUST(results[i] == items[i] * items[i]);
  MUST(mpc_pool_destroy(pool) == MPC_OK);
  return 0;
}

TEST_P(PoolMapTest, AProcessMayHaveAPoolOfItsOwn) {
  EXPECT_EQ(exit_code_of(start(map_in_child)), 0);
}

int map_in_worker(const void*, void*) { return map_in_child(nullptr, 0, nullptr, 0); }

TEST_P(PoolMapTest, AWorkerMayHaveAPoolOfItsOwn) {
  EXPECT_EQ(mpc_pool_map(make_pool(2), map_in_worker, nullptr, 4, 0, nullptr, 0, nullptr), MPC_OK)
      << last_message();
}

// --- code that came later ------------------------------------------------------------------------

TEST_P(PoolMapTest, AFunctionOfALibraryThatIsLoadedAfterTheFirstMapIsReachable) {
  mpc_pool* pool = make_pool(2);
  expect_works(pool);
  void* library = dlopen(MPC_TEST_LATE_LIBRARY, RTLD_NOW);
  ASSERT_NE(library, nullptr) << dlerror();
  auto add_hundred =
      reinterpret_cast<int (*)(const void*, void*)>(dlsym(library, "late_add_hundred"));
  ASSERT_NE(add_hundred, nullptr);
  std::vector<int64_t> items = numbers_to(300);
  std::vector<int64_t> results;
  ASSERT_EQ(map(pool, add_hundred, items, results), MPC_OK) << last_message();
  for (size_t i = 0; i < items.size(); ++i) ASSERT_EQ(results[i], items[i] + 100);
  dlclose(library);
  expect_works(pool);
}

#if defined(__x86_64__) || defined(__aarch64__)
#if defined(__x86_64__)
constexpr unsigned char kReturnFortyTwo[] = {0xb8, 42, 0, 0, 0, 0xc3};  // mov eax, 42; ret
#else
constexpr unsigned char kReturnFortyTwo[] = {0x40, 0x05, 0x80, 0x52, 0xc0, 0x03, 0x5f, 0xd6};
#endif

TEST_P(PoolMapTest, AFunctionThatWasGeneratedAfterTheFirstMapIsReachableInAForkAndElseRefused) {
  mpc_pool* pool = make_pool(2);
  expect_works(pool);
  void* page = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(page, MAP_FAILED);
  memcpy(page, kReturnFortyTwo, sizeof kReturnFortyTwo);
  ASSERT_EQ(mprotect(page, 4096, PROT_READ | PROT_EXEC), 0);
  __builtin___clear_cache(static_cast<char*>(page), static_cast<char*>(page) + 4096);
  std::vector<int64_t> results;
  mpc_status status = map(pool, reinterpret_cast<mpc_map_fn>(page), numbers_to(10), results);
  if (GetParam() == MPC_START_FORK) {
    EXPECT_EQ(status, MPC_ETASK);
    EXPECT_EQ(errors[9].code, 42);
  } else {
    EXPECT_EQ(status, MPC_EFUNCTION) << "it is in no file";
    expect_works(pool);
  }
  munmap(page, 4096);
}
#endif

}  // namespace
}  // namespace mpc::test
