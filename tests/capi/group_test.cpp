// SPDX-License-Identifier: Apache-2.0
// The group: coming in and leaving, its memory, and what is swept of those who died.
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

#include "support/start_method_test.hpp"
#include "support/talk.hpp"

namespace mpc::test {
namespace {

class GroupTest : public StartMethodTest {};
MPC_UNDER_EVERY_START_METHOD(GroupTest);

class GroupProgramTest : public ProgramTest {};
MPC_UNDER_EVERY_START_METHOD(GroupProgramTest);

constexpr size_t kSizes[] = {
    1, 63, 64, 65, 4096, 524'288, 524'289, 1 << 20, (1 << 20) + 1, 5 * (1 << 20) + 7};

mpc_group_stats stats_now() {
  mpc_group_stats stats = MPC_GROUP_STATS_INIT;
  EXPECT_EQ(mpc_group_stats_get(&stats), MPC_OK) << last_message();
  return stats;
}

void* alloc(size_t size) {
  void* address = nullptr;
  EXPECT_EQ(mpc_group_alloc(size, &address), MPC_OK) << last_message();
  return address;
}

// --- coming in and leaving -----------------------------------------------------------------------

MPC_PROGRAM(joins_twice) {
  MUST(mpc_group_join() == MPC_OK);
  mpc_group_stats first = MPC_GROUP_STATS_INIT;
  MUST(mpc_group_stats_get(&first) == MPC_OK);
  MUST(mpc_group_join() == MPC_OK);
  mpc_group_stats second = MPC_GROUP_STATS_INIT;
  MUST(mpc_group_stats_get(&second) == MPC_OK);
  MUST(first.id == second.id && second.starts == 1 && second.participants == 1);
  return 0;
}

TEST_P(GroupProgramTest, JoiningTwiceIsJoiningOnce) { EXPECT_EQ(run_program("joins_twice"), 0); }

MPC_PROGRAM(leaves_and_comes_back) {
  MachineState before = MachineState::now();
  MUST(mpc_group_leave() == MPC_OK);
  mpc_group_stats first = MPC_GROUP_STATS_INIT;
  MUST(mpc_group_stats_get(&first) == MPC_OK);
  mpc_process* process;
  MUST(mpc_process_create(nullptr, nullptr, &process) == MPC_OK);
  MUST(mpc_process_start(process) == MPC_OK);
  MUST(mpc_process_join(process, MPC_FOREVER) == MPC_OK);
  MUST(mpc_process_destroy(process) == MPC_OK);
  MUST(mpc_group_leave() == MPC_OK);
  MUST(MachineState::now().descriptors == before.descriptors);
  MUST(mpc_group_leave() == MPC_OK);

  void* block;
  MUST(mpc_group_alloc(100, &block) == MPC_OK);
  mpc_group_stats second = MPC_GROUP_STATS_INIT;
  MUST(mpc_group_stats_get(&second) == MPC_OK);
  MUST(second.id != first.id && second.blocks == 1 && second.starts == 1);
  MUST(mpc_process_create(nullptr, nullptr, &process) == MPC_OK);
  MUST(mpc_process_start(process) == MPC_OK);
  MUST(mpc_process_join(process, MPC_FOREVER) == MPC_OK);
  return 0;
}

TEST_P(GroupProgramTest, WhoHasLeftIsAsUnusedAndTheNextCallMakesANewGroup) {
  EXPECT_EQ(run_program("leaves_and_comes_back"), 0);
}

MPC_PROGRAM(leaves_with_open_handles) {
  mpc_block* block;
  MUST(mpc_block_create(10, &block) == MPC_OK);
  MUST(mpc_group_leave() == MPC_ESTATE);
  MUST(last_message().find("1 handles") != std::string::npos);
  *static_cast<char*>(mpc_block_address(block)) = 1;
  MUST(mpc_block_detach(block) == MPC_OK);
  MUST(mpc_group_leave() == MPC_OK);
  return 0;
}

TEST_P(GroupProgramTest, LeavingWithOpenHandlesIsRefused) {
  EXPECT_EQ(run_program("leaves_with_open_handles"), 0);
}

MPC_PROGRAM(leaves_with_a_child) {
  auto* page = in_group<Talk>();
  mpc_process_options options = options_with(page, MPC_START_DEFAULT);
  mpc_process* process;
  MUST(mpc_process_create(wait_to_be_told, &options, &process) == MPC_OK);
  MUST(mpc_process_start(process) == MPC_OK);
  int32_t pid;
  MUST(mpc_process_pid(process, &pid) == MPC_OK);
  MUST(mpc_process_destroy(process) == MPC_OK);
  MUST(mpc_group_leave() == MPC_ESTATE);
  page->go.set(1);
  MUST(ends_within(pid, kLongEnough));
  MUST(mpc_group_leave() == MPC_OK);
  return 0;
}

TEST_P(GroupProgramTest, LeavingWithARunningChildIsRefused) {
  EXPECT_EQ(run_program("leaves_with_a_child"), 0);
}

MPC_PROGRAM(configures) {
  mpc_group_options options = MPC_GROUP_OPTIONS_INIT;
  options.address_space = uint64_t{1} << 30;
  options.memory_limit = uint64_t{64} << 20;
  MUST(mpc_group_configure(&options) == MPC_OK);
  mpc_group_stats stats = MPC_GROUP_STATS_INIT;
  MUST(mpc_group_stats_get(&stats) == MPC_OK);
  MUST(stats.address_space == uint64_t{1} << 30);
  MUST(stats.memory_limit == uint64_t{64} << 20);
  MUST(mpc_group_configure(&options) == MPC_ESTATE);
  MUST(mpc_group_configure(nullptr) == MPC_ESTATE);
  MUST(mpc_group_leave() == MPC_OK);
  MUST(mpc_group_configure(nullptr) == MPC_OK);
  MUST(mpc_group_stats_get(&stats) == MPC_OK);
  MUST(stats.address_space > uint64_t{1} << 30);
  return 0;
}

TEST_P(GroupProgramTest, OptionsHoldFromTheFirstUseAndCannotBeChangedAfterIt) {
  EXPECT_EQ(run_program("configures"), 0);
}

// --- memory --------------------------------------------------------------------------------------

TEST_P(GroupTest, BlocksOfEverySizeAreAlignedApartAndWritable) {
  std::vector<std::pair<unsigned char*, size_t>> blocks;
  for (int round = 0; round < 3; ++round) {
    for (size_t size : kSizes) {
      auto* bytes = static_cast<unsigned char*>(alloc(size));
      ASSERT_EQ(reinterpret_cast<uintptr_t>(bytes) % 64, 0u) << size;
      memset(bytes, static_cast<int>(blocks.size() + 1), size);
      blocks.emplace_back(bytes, size);
    }
  }
  for (size_t i = 0; i < blocks.size(); ++i) {
    auto [bytes, size] = blocks[i];
    EXPECT_EQ(std::count(bytes, bytes + size, static_cast<unsigned char>(i + 1)),
              static_cast<ptrdiff_t>(size))
        << "block " << i << " of " << size;
    EXPECT_EQ(mpc_group_free(bytes), MPC_OK);
  }
}

TEST_P(GroupTest, ABlockOfNoBytesIsRefused) {
  void* address = &address;
  EXPECT_EQ(mpc_group_alloc(0, &address), MPC_EINVAL);
  EXPECT_EQ(address, &address);
}

TEST_P(GroupTest, ABlockLargerThanTheGroupIsRefused) {
  void* address = nullptr;
  for (size_t size : {size_t{1} << 40, SIZE_MAX / 2, SIZE_MAX - 1, SIZE_MAX}) {
    EXPECT_EQ(mpc_group_alloc(size, &address), MPC_EEXHAUSTED) << size;
  }
  EXPECT_EQ(mpc_group_free(alloc(64)), MPC_OK);
}

TEST_P(GroupTest, FreeingTwiceIsRefused) {
  for (size_t size : kSizes) {
    void* block = alloc(size);
    ASSERT_EQ(mpc_group_free(block), MPC_OK);
    EXPECT_EQ(mpc_group_free(block), MPC_EINVAL) << size;
  }
}

TEST_P(GroupTest, PointersIntoABlockAreRefused) {
  for (size_t size : kSizes) {
    auto* block = static_cast<char*>(alloc(size));
    for (size_t inside : {size_t{1}, size_t{8}, size / 2, size - 1}) {
      if (inside == 0 || inside >= size) continue;
      EXPECT_EQ(mpc_group_free(block + inside), MPC_EINVAL) << inside << " into " << size;
      EXPECT_EQ(mpc_group_publish(block + inside), MPC_EINVAL);
    }
    EXPECT_EQ(mpc_group_free(block), MPC_OK);
  }
}

TEST_P(GroupTest, PointersFromElsewhereAreRefused) {
  mpc_group_stats stats = stats_now();
  int here;
  for (uint64_t address :
       {uint64_t{1}, reinterpret_cast<uint64_t>(&here), stats.address, stats.address + 4096,
        stats.address + stats.address_space - 64, stats.address + stats.address_space,
        stats.address - 64, UINT64_MAX, uint64_t{1} << 63}) {
    EXPECT_EQ(mpc_group_free(reinterpret_cast<void*>(address)), MPC_EINVAL) << address;
    EXPECT_EQ(mpc_group_publish(reinterpret_cast<void*>(address)), MPC_EINVAL) << address;
  }
  EXPECT_EQ(mpc_group_free(nullptr), MPC_OK);
  EXPECT_EQ(mpc_group_publish(nullptr), MPC_EINVAL);
}

TEST_P(GroupTest, PublishingTwiceIsRefused) {
  void* block = alloc(100);
  EXPECT_EQ(mpc_group_publish(block), MPC_OK);
  EXPECT_EQ(mpc_group_publish(block), MPC_EINVAL);
  EXPECT_EQ(mpc_group_free(block), MPC_OK);
}

TEST_P(GroupTest, TheFiguresAddUp) {
  mpc_group_stats before = stats_now();
  EXPECT_EQ(before.struct_size, sizeof before);
  EXPECT_NE(before.id, 0u);
  EXPECT_EQ(before.participants, 1u);
  void* small = alloc(100);
  void* large = alloc((1 << 20) + 1);
  mpc_group_stats after = stats_now();
  EXPECT_EQ(after.blocks, before.blocks + 2);
  EXPECT_EQ(after.bytes, before.bytes + 128 + (2 << 20)) << "as they are cut";
  EXPECT_EQ(after.own_bytes, before.own_bytes + 128 + (2 << 20));
  EXPECT_GE(after.memory_used, before.memory_used + (2 << 20));
  EXPECT_LE(after.memory_used, after.memory_limit);
  ASSERT_EQ(mpc_group_publish(large), MPC_OK);
  EXPECT_EQ(stats_now().own_bytes, before.own_bytes + 128);
  EXPECT_EQ(mpc_group_free(small), MPC_OK);
  EXPECT_EQ(mpc_group_free(large), MPC_OK);
  EXPECT_EQ(swept_stats().bytes, before.bytes);
}

TEST_P(GroupTest, StartsAndDeathsAreCounted) {
  mpc_group_stats before = stats_now();
  for (int i = 0; i < 3; ++i) ASSERT_EQ(exit_code_of(start(nullptr)), 0);
  mpc_group_stats after = stats_now();
  EXPECT_EQ(after.starts, before.starts + 3);
  EXPECT_EQ(after.deaths, before.deaths + 3);
  EXPECT_EQ(after.participants, before.participants);
}

TEST_P(GroupTest, AShorterStatsStructIsFilledAsFarAsItGoes) {
  mpc_group_stats stats;
  memset(&stats, 0x5a, sizeof stats);
  stats.struct_size = offsetof(mpc_group_stats, address_space);
  ASSERT_EQ(mpc_group_stats_get(&stats), MPC_OK);
  EXPECT_EQ(stats.id, stats_now().id);
  EXPECT_EQ(stats.address, stats_now().address);
  EXPECT_EQ(stats.address_space, 0x5a5a5a5a5a5a5a5au);
  EXPECT_EQ(stats.struct_size, offsetof(mpc_group_stats, address_space));
  stats.struct_size = 0;
  EXPECT_EQ(mpc_group_stats_get(&stats), MPC_EINVAL);
}

// --- memory between processes --------------------------------------------------------------------

struct Handover {
  Count ready;
  Count go;
  void* block;
  size_t size;
};

int write_at_same_address(const void* argument, size_t, const mpc_ref*, size_t) {
  auto* handover = argument_as<Handover*>(argument);
  memset(handover->block, 'c', handover->size);
  return 0;
}

TEST_P(GroupTest, ABlockIsAtTheSameAddressInAChild) {
  GroupPage<Handover> page;
  for (size_t size : kSizes) {
    auto* bytes = static_cast<char*>(alloc(size));
    memset(bytes, 'p', size);
    page->block = bytes;
    page->size = size;
    ASSERT_EQ(exit_code_of(start(write_at_same_address, page.get())), 0);
    EXPECT_EQ(std::count(bytes, bytes + size, 'c'), static_cast<ptrdiff_t>(size));
    ASSERT_EQ(mpc_group_free(bytes), MPC_OK);
  }
}

int free_what_is_not_its_own(const void* argument, size_t, const mpc_ref*, size_t) {
  auto* handover = argument_as<Handover*>(argument);
  if (mpc_group_publish(handover->block) != MPC_EINVAL) return 2;
  return mpc_group_free(handover->block) == MPC_EINVAL ? 0 : 1;
}

TEST_P(GroupTest, APrivateBlockIsItsMakersAlone) {
  GroupPage<Handover> page;
  for (size_t size : {size_t{100}, size_t{3} << 20}) {
    page->block = alloc(size);
    EXPECT_EQ(exit_code_of(start(free_what_is_not_its_own, page.get())), 0);
    EXPECT_EQ(mpc_group_free(page->block), MPC_OK);
  }
}

int free_what_is_the_groups(const void* argument, size_t, const mpc_ref*, size_t) {
  return mpc_group_free(argument_as<Handover*>(argument)->block) == MPC_OK ? 0 : 1;
}

TEST_P(GroupTest, APublishedBlockMayBeFreedByAnybodyOnce) {
  GroupPage<Handover> page;
  for (size_t size : {size_t{100}, size_t{3} << 20}) {
    page->block = alloc(size);
    ASSERT_EQ(mpc_group_publish(page->block), MPC_OK);
    EXPECT_EQ(exit_code_of(start(free_what_is_the_groups, page.get())), 0);
    EXPECT_EQ(mpc_group_free(page->block), MPC_EINVAL);
  }
}

int take_blocks_and_wait(const void* argument, size_t, const mpc_ref*, size_t) {
  auto* handover = argument_as<Handover*>(argument);
  for (size_t size : kSizes) {
    void* block;
    MUST(mpc_group_alloc(size, &block) == MPC_OK);
    memset(block, 'x', size);
  }
  handover->ready.add();
  for (;;) pause();
}

TEST_P(GroupTest, PrivateBlocksOfAProcessThatIsKilledAreFreed) {
  mpc_group_stats before = swept_stats();
  {
    GroupPage<Handover> page;
    mpc_process* process = start(take_blocks_and_wait, page.get());
    ASSERT_TRUE(page->ready.reaches(1));
    EXPECT_GE(stats_now().blocks, before.blocks + std::size(kSizes));
    ASSERT_EQ(mpc_process_kill(process), MPC_OK);
    EXPECT_EQ(exit_code_of(process), -SIGKILL);
  }
  expect_group_as_before(before);
  EXPECT_LE(swept_stats().memory_used, before.memory_used) << "and their memory is given back";
}

int take_blocks_and_return(const void*, size_t, const mpc_ref*, size_t) {
  for (size_t size : kSizes) {
    void* block;
    MUST(mpc_group_alloc(size, &block) == MPC_OK);
  }
  return 0;
}

TEST_P(GroupTest, PrivateBlocksOfAProcessThatReturnsAreFreed) {
  mpc_group_stats before = swept_stats();
  EXPECT_EQ(exit_code_of(start(take_blocks_and_return)), 0);
  expect_group_as_before(before);
}

int publish_and_die(const void* argument, size_t, const mpc_ref*, size_t) {
  auto* handover = argument_as<Handover*>(argument);
  void* block;
  MUST(mpc_group_alloc(handover->size, &block) == MPC_OK);
  memset(block, 'd', handover->size);
  MUST(mpc_group_publish(block) == MPC_OK);
  handover->block = block;
  raise(SIGKILL);
  return 1;
}

TEST_P(GroupTest, APublishedBlockSurvivesItsMaker) {
  GroupPage<Handover> page;
  for (size_t size : kSizes) {
    page->size = size;
    ASSERT_EQ(exit_code_of(start(publish_and_die, page.get())), -SIGKILL);
    ASSERT_EQ(mpc_group_sweep(nullptr), MPC_OK);
    auto* bytes = static_cast<char*>(page->block);
    EXPECT_EQ(std::count(bytes, bytes + size, 'd'), static_cast<ptrdiff_t>(size));
    EXPECT_EQ(mpc_group_free(bytes), MPC_OK);
  }
}

// --- forks of the host ---------------------------------------------------------------------------

TEST_P(GroupTest, AChildOfTheHostsOwnForkIsAParticipantOfItsOwn) {
  mpc_group_stats before = stats_now();
  void* block = alloc(100);
  EXPECT_EQ(wait_for(fork_and([&] {
              MUST(mpc_group_free(block) == MPC_EINVAL);
              mpc_group_stats stats = stats_now();
              MUST(stats.id == before.id && stats.address == before.address);
              MUST(stats.participants == before.participants + 1);
              MUST(stats.own_bytes == 0);
              void* own;
              MUST(mpc_group_alloc(1000, &own) == MPC_OK);
              return 0;
            })),
            0);
  mpc_group_stats after = swept_stats();
  EXPECT_EQ(after.participants, before.participants);
  EXPECT_EQ(after.starts, before.starts + 1);
  EXPECT_EQ(after.deaths, before.deaths + 1);
  EXPECT_EQ(mpc_group_free(block), MPC_OK);
}

TEST_P(GroupTest, AForkedChildThatCallsNothingIsNoParticipant) {
  mpc_group_stats before = stats_now();
  EXPECT_EQ(wait_for(fork_and([] { return 0; })), 0);
  EXPECT_EQ(swept_stats().starts, before.starts);
}

TEST_P(GroupTest, SweepTellsHowManyHaveDied) {
  SharedPage<Handover> page;
  std::vector<pid_t> children;
  for (int i = 0; i < 3; ++i) {
    children.push_back(fork_and([&] {
      MUST(mpc_group_join() == MPC_OK);
      page->ready.add();
      for (;;) pause();
      return 0;
    }));
  }
  ASSERT_TRUE(page->ready.reaches(3));
  EXPECT_EQ(stats_now().participants, 4u);
  uint32_t swept = 77;
  ASSERT_EQ(mpc_group_sweep(&swept), MPC_OK);
  EXPECT_EQ(swept, 0u) << "all live";
  for (pid_t child : children) {
    kill(child, SIGKILL);
    ASSERT_TRUE(ends_within(child, kLongEnough));
  }
  ASSERT_EQ(mpc_group_sweep(&swept), MPC_OK);
  EXPECT_EQ(swept, 3u) << "dead is dead, also before it is reaped";
  for (pid_t child : children) EXPECT_EQ(wait_for(child), -SIGKILL);
  ASSERT_EQ(mpc_group_sweep(&swept), MPC_OK);
  EXPECT_EQ(swept, 0u);
}

TEST_P(GroupTest, AForkedChildMayStartProcessesAndPoolsOfItsOwn) {
  EXPECT_EQ(wait_for(fork_and([&] {
              mpc_process_options options = process_options();
              mpc_process* process;
              MUST(mpc_process_create(nullptr, &options, &process) == MPC_OK);
              MUST(mpc_process_start(process) == MPC_OK);
              MUST(mpc_process_join(process, MPC_FOREVER) == MPC_OK);
              mpc_pool_options pool_choice = pool_options(2);
              mpc_pool* pool;
              MUST(mpc_pool_create(&pool_choice, &pool) == MPC_OK);
              auto nothing = [](const void*, void*) { return 0; };
              MUST(mpc_pool_map(pool, nothing, nullptr, 100, 0, nullptr, 0, nullptr) == MPC_OK);
              MUST(mpc_pool_destroy(pool) == MPC_OK);
              return 0;
            })),
            0);
}

TEST_P(GroupTest, AForkWhileOtherThreadsAllocateLeavesBothUsable) {
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&stop] {
      while (!stop.load()) {
        void* block;
        mpc_block* object;
        if (mpc_group_alloc(200, &block) == MPC_OK) (void)mpc_group_free(block);
        if (mpc_block_create(64, &object) == MPC_OK) (void)mpc_block_detach(object);
      }
    });
  }
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(wait_for(fork_and([] {
                void* block;
                mpc_block* object;
                MUST(mpc_group_alloc(200, &block) == MPC_OK);
                MUST(mpc_block_create(64, &object) == MPC_OK);
                MUST(mpc_block_detach(object) == MPC_OK);
                MUST(mpc_group_free(block) == MPC_OK);
                return 0;
              })),
              0);
  }
  stop.store(true);
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace mpc::test
