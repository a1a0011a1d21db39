// SPDX-License-Identifier: Apache-2.0
// The pool's map: hand over, take, run, complete, collect and replace. Either the owner of the pool
// is killed, and its workers have to end; or a worker is, and the map has to come through.
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <vector>

#include "fault.hpp"
#include "operation.hpp"

namespace kill_tests {
namespace {

constexpr uint32_t kItems = 6;
constexpr int64_t kDeadly = -1;

// How often the function was called since a map began; in memory that the workers see.
uint32_t* calls = nullptr;

int twice_plus_one(const void* item, void* result) {
  if (calls != nullptr) __atomic_fetch_add(calls, 1, __ATOMIC_RELAXED);
  *static_cast<int64_t*>(result) = 2 * *static_cast<const int64_t*>(item) + 1;
  return 0;
}

// One item kills the worker that has it.
int deadly(const void* item, void* result) {
  if (*static_cast<const int64_t*>(item) == kDeadly) raise(SIGKILL);
  return twice_plus_one(item, result);
}

mpc_pool* make_pool() {
  mpc_pool* pool;
  mpc_pool_options options = MPC_POOL_OPTIONS_INIT;
  options.workers = 1;
  must(mpc_pool_create(&options, &pool), "mpc_pool_create");
  return pool;
}

// Maps over `count` items; at most one may be lost, with its worker, where that is allowed.
template <uint32_t kCount>
const char* map_checked(mpc_pool* pool, mpc_map_fn function, bool with_deadly, bool may_lose) {
  std::array<int64_t, kCount> items;
  std::array<int64_t, kCount> results;
  std::array<mpc_item_error, kCount> errors;
  // Other items each time: results that an earlier map left behind are wrong ones.
  static int64_t first = 0;
  for (int64_t& item : items) item = ++first;
  if (with_deadly) items[kCount / 2] = kDeadly;
  results.fill(0);
  mpc_map_options options = MPC_MAP_OPTIONS_INIT;
  // Never in the pieces of the time before: what a slot still says is wrong then.
  static size_t chunk = 1;
  options.chunk_size = kCount < 100 ? chunk : 0;
  chunk = 3 - chunk;
  options.errors = errors.data();
  if (calls != nullptr) *calls = 0;
  mpc_status status = mpc_pool_map(pool, function, items.data(), kCount, sizeof items[0],
                                   results.data(), sizeof results[0], &options);
  if (status < 0 && status != MPC_EWORKER_LOST) return mpc_status_name(status);
  uint32_t lost = 0;
  for (uint32_t i = 0; i < kCount; ++i) {
    if (errors[i].status == MPC_EWORKER_LOST) {
      if (errors[i].exit_code != -SIGKILL) return "a lost item names the wrong end of its worker";
      ++lost;
      continue;
    }
    if (errors[i].status != MPC_OK) return "an item failed that was not in dead hands";
    if (results[i] != 2 * items[i] + 1) return "an item was told to be done and was not";
  }
  if ((status == MPC_EWORKER_LOST) != (lost > 0)) return "the status does not tell of a loss";
  if (with_deadly && errors[kCount / 2].status != MPC_EWORKER_LOST) {
    return "the death of a worker went unnoticed";
  }
  if (calls != nullptr && *calls > kCount) return "an item was run twice";
  if (lost > (may_lose || with_deadly ? 1u : 0u)) return "more was lost than was in dead hands";
  return nullptr;
}

void check(const char* complaint) {
  if (complaint == nullptr) return;
  fprintf(stderr, "in a victim: %s\n", complaint);
  _exit(102);
}

// A pool whose workers run before the operation begins.
class WithPool : public Case {
 public:
  void set_up() override {
    must(mpc_group_join(), "mpc_group_join");
    calls = &notes().calls;
    pool_ = make_pool();
    check(map_checked<kItems>(pool_, twice_plus_one, false, false));
  }
  void finish() override {
    check(map_checked<1000>(pool_, twice_plus_one, false, false));
    must(mpc_pool_destroy(pool_), "mpc_pool_destroy");
    must(mpc_group_leave(), "mpc_group_leave");
  }
  void born(pid_t worker) override { workers_.push_back(worker); }

 protected:
  mpc_pool* pool_ = nullptr;
  std::vector<pid_t> workers_;
};

// The owner dies: its workers end.
template <bool kWithDeadly>
class Owner : public WithPool {
 public:
  void operate() override {
    check(map_checked<kItems>(pool_, kWithDeadly ? deadly : twice_plus_one, kWithDeadly, false));
  }
  Committed settle(bool died) override {
    for (pid_t worker : workers_) {
      if (!died) break;
      // One that its owner had reaped is no child of anybody's.
      while (waitpid(worker, nullptr, 0) < 0 && errno == EINTR) {
      }
    }
    expect_ok(mpc_group_sweep(nullptr), "mpc_group_sweep");
    return Committed::kUnknown;
  }
};

// The owner acts while its worker is kept from it, so that what it hands over lies there
// unfinished.
class HandOver : public Owner<false> {
 public:
  pid_t held_meanwhile() override { return workers_.empty() ? 0 : workers_.front(); }
};

// The worker dies: the item in its hands is lost, and it is replaced.
class Worker : public WithPool {
 public:
  pid_t descendant() override { return workers_.empty() ? 0 : workers_.front(); }
  void operate() override {
    const char* complaint = map_checked<kItems>(pool_, twice_plus_one, false, true);
    check(complaint);
  }
};

void map_many(uint32_t times) {
  mpc_pool* pool = make_pool();
  const char* complaint = nullptr;
  for (uint32_t done = 0; done < times && complaint == nullptr; done += 100) {
    complaint = map_checked<100>(pool, twice_plus_one, false, false);
  }
  expect_ok(mpc_pool_destroy(pool), "mpc_pool_destroy");
  if (complaint != nullptr) fault("a survivor's map: %s", complaint);
}

}  // namespace

std::vector<Operation> pool_operations() {
  return {
      {"pool.owner", [] { return std::make_unique<Owner<false>>(); }, map_many, 1000, 10000, true},
      {"pool.hand-over", [] { return std::make_unique<HandOver>(); }, map_many, 1000, 10000, true},
      {"pool.replace", [] { return std::make_unique<Owner<true>>(); }, map_many, 1000, 10000, true},
      {"pool.worker", [] { return std::make_unique<Worker>(); }, map_many, 1000, 10000, true},
  };
}

}  // namespace kill_tests
