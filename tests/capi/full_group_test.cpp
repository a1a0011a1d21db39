// SPDX-License-Identifier: Apache-2.0
// Groups whose memory is used up.
#include <string.h>

#include "support/start_method_test.hpp"

namespace mpc::test {
namespace {

class FullGroupProgramTest : public ProgramTest {};
MPC_UNDER_EVERY_START_METHOD(FullGroupProgramTest);

void limit_memory(uint64_t bytes) {
  mpc_group_options options = MPC_GROUP_OPTIONS_INIT;
  options.memory_limit = bytes;
  MUST(mpc_group_configure(&options) == MPC_OK);
}

MPC_PROGRAM(uses_memory_up) {
  limit_memory(16 << 20);
  size_t size = std::stoul(arguments.at(0));
  mpc_process* process;
  MUST(mpc_process_create(nullptr, nullptr, &process) == MPC_OK);
  size_t first_round = 0;
  for (int round = 0; round < 3; ++round) {
    std::vector<void*> blocks;
    void* block;
    mpc_status status;
    while ((status = mpc_group_alloc(size, &block)) == MPC_OK) {
      *static_cast<size_t*>(block) = blocks.size();
      blocks.push_back(block);
      MUST(blocks.size() * size <= 16 << 20);
    }
    MUST(status == MPC_EEXHAUSTED);
    MUST(last_message().find("memory_limit") != std::string::npos);
    MUST(blocks.size() * size >= 11 << 20);
    mpc_group_stats stats = MPC_GROUP_STATS_INIT;
    MUST(mpc_group_stats_get(&stats) == MPC_OK);
    MUST(stats.memory_used <= stats.memory_limit);
    for (size_t i = 0; i < blocks.size(); ++i) MUST(*static_cast<size_t*>(blocks[i]) == i);
    for (void* each : blocks) MUST(mpc_group_free(each) == MPC_OK);
    if (round == 0) first_round = blocks.size();
    MUST(blocks.size() == first_round);
  }
  MUST(mpc_process_start(process) == MPC_OK);
  MUST(mpc_process_join(process, MPC_FOREVER) == MPC_OK);
  return 0;
}

TEST_P(FullGroupProgramTest, SmallBlocksUpToTheLimitAndAllOfThemAgainAfterFreeing) {
  EXPECT_EQ(run_program("uses_memory_up", {"1000"}), 0);
}

TEST_P(FullGroupProgramTest, LargeBlocksUpToTheLimitAndAllOfThemAgainAfterFreeing) {
  EXPECT_EQ(run_program("uses_memory_up", {"3000000"}), 0);
}

MPC_PROGRAM(changes_the_size_when_full) {
  limit_memory(8 << 20);
  std::vector<void*> blocks;
  void* block;
  while (mpc_group_alloc(64, &block) == MPC_OK) blocks.push_back(block);
  MUST(mpc_group_alloc(4096, &block) == MPC_EEXHAUSTED);
  MUST(mpc_group_alloc(2 << 20, &block) == MPC_EEXHAUSTED);
  for (void* each : blocks) MUST(mpc_group_free(each) == MPC_OK);
  MUST(mpc_group_alloc(6 << 20, &block) == MPC_OK);
  MUST(mpc_group_free(block) == MPC_OK);
  MUST(mpc_group_alloc(4096, &block) == MPC_OK);
  return 0;
}

TEST_P(FullGroupProgramTest, MemoryOfFreedSmallBlocksIsGoodForOtherSizes) {
  EXPECT_EQ(run_program("changes_the_size_when_full"), 0);
}

int put_megabytes(const void* item, size_t, mpc_result* result) {
  std::vector<char> bytes(*static_cast<const uint32_t*>(item), 'm');
  return mpc_result_put(result, bytes.data(), bytes.size()) == MPC_OK ? 0 : 1;
}

MPC_PROGRAM(returns_too_much) {
  limit_memory(24 << 20);
  mpc_pool* pool;
  mpc_pool_options options = MPC_POOL_OPTIONS_INIT;
  options.workers = 1;
  MUST(mpc_pool_create(&options, &pool) == MPC_OK);
  uint32_t sizes[] = {10, 40 << 20, 20, 1 << 20, 60 << 20};
  mpc_bytes items[5];
  mpc_buffer results[5];
  mpc_item_error errors[5];
  mpc_map_options map = MPC_MAP_OPTIONS_INIT;
  map.errors = errors;
  for (int i = 0; i < 5; ++i) items[i] = {&sizes[i], sizeof sizes[i]};
  for (int round = 0; round < 3; ++round) {
    MUST(mpc_pool_map_bytes(pool, put_megabytes, items, 5, results, &map) == MPC_EEXHAUSTED);
    MUST(last_message().find("item 1 failed") == 0);
    for (int i = 0; i < 5; ++i) {
      bool too_large = sizes[i] > 24 << 20;
      MUST(errors[i].status == (too_large ? MPC_EEXHAUSTED : MPC_OK));
      MUST(results[i].size == (too_large ? 0 : sizes[i]));
      mpc_buffer_free(&results[i]);
    }
  }
  std::vector<uint32_t> more(5, 100);
  for (int i = 0; i < 5; ++i) items[i] = {&more[0], sizeof more[0]};
  MUST(mpc_pool_map_bytes(pool, put_megabytes, items, 5, results, nullptr) == MPC_OK);
  for (mpc_buffer& result : results) mpc_buffer_free(&result);
  MUST(mpc_pool_destroy(pool) == MPC_OK);
  return 0;
}

TEST_P(FullGroupProgramTest, AResultThatFindsNoRoomFailsItsItemAlone) {
  EXPECT_EQ(run_program("returns_too_much"), 0);
}

int nothing(const void*, void*) { return 0; }

MPC_PROGRAM(maps_too_much) {
  limit_memory(8 << 20);
  // What the first start takes for good.
  mpc_process* process;
  MUST(mpc_process_create(nullptr, nullptr, &process) == MPC_OK);
  MUST(mpc_process_start(process) == MPC_OK);
  MUST(mpc_process_join(process, MPC_FOREVER) == MPC_OK);
  MUST(mpc_process_destroy(process) == MPC_OK);
  mpc_group_stats before = MPC_GROUP_STATS_INIT;
  MUST(mpc_group_sweep(nullptr) == MPC_OK && mpc_group_stats_get(&before) == MPC_OK);
  MUST(before.blocks <= 1);  // of a fork server
  mpc_pool* pool;
  mpc_pool_options options = MPC_POOL_OPTIONS_INIT;
  options.workers = 1;
  MUST(mpc_pool_create(&options, &pool) == MPC_OK);
  std::vector<char> items(20 << 20);
  MUST(mpc_pool_map(pool, nothing, items.data(), 1, items.size(), nullptr, 0, nullptr) ==
       MPC_EEXHAUSTED);
  MUST(mpc_pool_map(pool, nothing, items.data(), 100, 1000, nullptr, 0, nullptr) == MPC_OK);
  std::vector<void*> blocks;
  void* block;
  while (mpc_group_alloc(500'000, &block) == MPC_OK) blocks.push_back(block);
  while (mpc_group_alloc(64, &block) == MPC_OK) blocks.push_back(block);
  mpc_block* object;
  MUST(mpc_block_create(1 << 20, &object) == MPC_EEXHAUSTED);
  mpc_pool* another;
  options.workers = 4000;
  MUST(mpc_pool_create(&options, &another) == MPC_EEXHAUSTED);
  for (void* each : blocks) MUST(mpc_group_free(each) == MPC_OK);
  MUST(mpc_pool_map(pool, nothing, items.data(), 100, 1000, nullptr, 0, nullptr) == MPC_OK);
  MUST(mpc_block_create(1 << 20, &object) == MPC_OK);
  MUST(mpc_block_detach(object) == MPC_OK);
  MUST(mpc_pool_destroy(pool) == MPC_OK);
  mpc_group_stats stats = MPC_GROUP_STATS_INIT;
  MUST(mpc_group_sweep(nullptr) == MPC_OK && mpc_group_stats_get(&stats) == MPC_OK);
  MUST(stats.objects == 0 && stats.blocks == before.blocks);
  return 0;
}

TEST_P(FullGroupProgramTest, PoolsAndBlocksFailCleanlyInAFullGroupAndWorkAfterIt) {
  EXPECT_EQ(run_program("maps_too_much"), 0);
}

}  // namespace
}  // namespace mpc::test
