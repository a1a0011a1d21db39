// SPDX-License-Identifier: Apache-2.0
#include "soak_worker.hpp"

#include <signal.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include "operation.hpp"

namespace kill_tests {
namespace {

constexpr int64_t kDeadly = -7;

[[noreturn]] void complain(const char* what) {
  fprintf(stderr, "in a process of the soak: %s\n", what);
  _exit(110);
}

void expect(bool truth, const char* what) {
  if (!truth) complain(what);
}

int half(const void* item, void* result) {
  auto number = *static_cast<const int64_t*>(item);
  if (number == kDeadly) raise(SIGKILL);
  *static_cast<int64_t*>(result) = number / 2;
  return 0;
}

int return_size(const void*, size_t size, const mpc_ref*, size_t) { return static_cast<int>(size); }

class Mixer {
 public:
  Mixer(SoakProcess& process, uint32_t thread, const mpc_ref& shared, uint64_t seed)
      : process_(process),
        ledger_(process.threads[thread]),
        thread_(thread),
        shared_(shared),
        random_(seed * kSoakThreads + thread),
        number_(seed << 32 | uint64_t{thread} << 28) {}

  [[noreturn]] void run() {
    if (thread_ == 0) make_pool();
    for (;;) {
      ledger_.inside.store(1);
      operate();
      ledger_.inside.store(0);
      ledger_.operations.fetch_add(1);
    }
  }

 private:
  void operate() {
    // Starting processes is one thread's: the others never stand in a fork.
    uint32_t most = thread_ == 0 ? 9 : 7;
    switch (random_() % most) {
      case 0:
        return allocate(random_() % 5000 + 1);
      case 1:
        return random_() % 8 == 0 ? allocate(size_t{1200} << 10) : allocate(64);
      case 2:
      case 3:
        return publish();
      case 4:
        return make_block();
      case 5:
        return share_block();
      case 6:
        return random_() % 16 == 0 ? must(mpc_group_sweep(nullptr), "mpc_group_sweep")
                                   : allocate(200);
      case 7:
        return map();
      default:
        return start();
    }
  }

  void allocate(size_t size) {
    void* block;
    must(mpc_group_alloc(size, &block), "mpc_group_alloc");
    uint64_t mine = ++number_;
    if (size >= sizeof mine) {
      memcpy(block, &mine, sizeof mine);
      std::this_thread::yield();
      expect(memcmp(block, &mine, sizeof mine) == 0, "a private block was written by another");
    }
    must(mpc_group_free(block), "mpc_group_free");
  }

  // The ledger first: from here on whoever reads it may find the block published.
  void publish() {
    void* block;
    must(mpc_group_alloc(kSoakBlock, &block), "mpc_group_alloc");
    uint64_t mine = ++number_;
    memcpy(block, &mine, sizeof mine);
    ledger_.number.store(mine);
    ledger_.published.store(static_cast<char*>(block));
    must(mpc_group_publish(block), "mpc_group_publish");
    std::this_thread::yield();
    expect(memcmp(block, &mine, sizeof mine) == 0, "a published block was written by another");
    must(mpc_group_free(block), "mpc_group_free");
    ledger_.published.store(nullptr);
  }

  void make_block() {
    mpc_block* block;
    mpc_block* again;
    mpc_ref ref;
    must(mpc_block_create(random_() % 3000 + 1, &block), "mpc_block_create");
    must(mpc_block_ref(block, &ref), "mpc_block_ref");
    must(mpc_block_attach(&ref, &again), "mpc_block_attach");
    if (random_() % 2 == 0)
      must(mpc_block_destroy(block), "mpc_block_destroy");
    else
      must(mpc_block_detach(block), "mpc_block_detach");
    must(mpc_block_detach(again), "mpc_block_detach");
    expect(mpc_block_attach(&ref, &again) == MPC_ESTALE, "a block outlived its last holder");
  }

  void share_block() {
    mpc_block* block;
    must(mpc_block_attach(&shared_, &block), "mpc_block_attach");
    auto* bytes = static_cast<const char*>(mpc_block_address(block));
    expect(bytes[0] == 'm' && bytes[kSoakBlock - 1] == 'm', "a shared block lost its contents");
    must(mpc_block_detach(block), "mpc_block_detach");
  }

  void make_pool() {
    mpc_pool_options options = MPC_POOL_OPTIONS_INIT;
    options.workers = 2;
    must(mpc_pool_create(&options, &pool_), "mpc_pool_create");
  }

  // Each task is accounted for once: done with the right result, or lost with its worker.
  void map() {
    std::array<int64_t, 64> items;
    std::array<int64_t, 64> results;
    std::array<mpc_item_error, 64> errors;
    for (int64_t& item : items) item = static_cast<int64_t>(random_() % 1000000);
    bool deadly = random_() % 8 == 0;
    if (deadly) items[random_() % items.size()] = kDeadly;
    mpc_map_options options = MPC_MAP_OPTIONS_INIT;
    options.errors = errors.data();
    mpc_status status = mpc_pool_map(pool_, half, items.data(), items.size(), sizeof items[0],
                                     results.data(), sizeof results[0], &options);
    expect(status == (deadly ? MPC_EWORKER_LOST : MPC_OK), "a map did not tell how it went");
    for (size_t i = 0; i < items.size(); ++i) {
      if (items[i] == kDeadly) {
        expect(errors[i].status == MPC_EWORKER_LOST, "a lost item was not told");
        process_.lost_items.fetch_add(1);
      } else {
        expect(errors[i].status == MPC_OK && results[i] == items[i] / 2, "an item went wrong");
      }
    }
  }

  void start() {
    mpc_process* process;
    mpc_process_options options = MPC_PROCESS_OPTIONS_INIT;
    int exit_code = -1;
    options.refs = &shared_;
    options.ref_count = 1;
    options.argument = "12345";
    options.argument_size = 5;
    must(mpc_process_create(return_size, &options, &process), "mpc_process_create");
    must(mpc_process_start(process), "mpc_process_start");
    must(mpc_process_join(process, MPC_FOREVER), "mpc_process_join");
    must(mpc_process_exit_code(process, &exit_code), "mpc_process_exit_code");
    expect(exit_code == 5, "a process ended with another exit code than it returned");
    must(mpc_process_destroy(process), "mpc_process_destroy");
  }

  SoakProcess& process_;
  SoakThread& ledger_;
  uint32_t thread_;
  mpc_ref shared_;
  std::minstd_rand random_;
  uint64_t number_;
  mpc_pool* pool_ = nullptr;
};

}  // namespace

void soak_process(SoakProcess& self, const mpc_ref& shared, uint64_t seed) {
  must(mpc_group_join(), "mpc_group_join");
  for (uint32_t i = 1; i < kSoakThreads; ++i) {
    std::thread([&self, i, shared, seed] { Mixer(self, i, shared, seed).run(); }).detach();
  }
  Mixer(self, 0, shared, seed).run();
}

}  // namespace kill_tests
