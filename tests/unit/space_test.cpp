// SPDX-License-Identifier: Apache-2.0
#include "group/space.hpp"

#include <cstring>
#include <map>
#include <random>
#include <thread>
#include <vector>

#include "emulated_madvise.hpp"
#include "group_fixture.hpp"

namespace mpc {
namespace {

class SpaceTest : public GroupFixture {
 protected:
  uint64_t allocate(uint64_t size) {
    Result<uint64_t> offset = space_allocate(group(), size);
    EXPECT_TRUE(offset) << offset.error().message;
    return offset ? *offset : 0;
  }
  uint64_t regions_in_use() { return space_census(group(), group().self).regions; }
};

// Blocks as the test knows them, with a pattern of their own at both ends.
class Tenants {
 public:
  explicit Tenants(Group& group) : group_(group) {}

  void add(uint64_t offset, uint64_t size) {
    ASSERT_EQ(offset % 64, 0u);
    ASSERT_GE(space_room(group_, offset), size);
    auto after = blocks_.lower_bound(offset);
    if (after != blocks_.end()) {
      ASSERT_LE(offset + size, after->first);
    }
    if (after != blocks_.begin()) {
      auto before = std::prev(after);
      ASSERT_LE(before->first + before->second, offset);
    }
    blocks_[offset] = size;
    mark(offset, size);
  }

  void remove(size_t which) {
    auto block = std::next(blocks_.begin(), static_cast<ptrdiff_t>(which));
    ASSERT_TRUE(marked(block->first, block->second)) << "somebody wrote into " << block->first;
    Result<void> freed = space_free(group_, block->first);
    ASSERT_TRUE(freed) << freed.error().message;
    blocks_.erase(block);
  }

  size_t count() const { return blocks_.size(); }

 private:
  void mark(uint64_t offset, uint64_t size) {
    unsigned char pattern = static_cast<unsigned char>(offset / 64 * 167);
    memset(group_.at(offset), pattern, std::min<uint64_t>(size, 64));
    group_.at(offset)[size - 1] = static_cast<char>(pattern);
  }
  bool marked(uint64_t offset, uint64_t size) const {
    char pattern = static_cast<char>(static_cast<unsigned char>(offset / 64 * 167));
    return *group_.at(offset) == pattern && group_.at(offset)[size - 1] == pattern;
  }

  Group& group_;
  std::map<uint64_t, uint64_t> blocks_;
};

uint64_t random_size(std::mt19937& random) {
  switch (random() % 8) {
    case 0:
      return kLargestSmall + 1 + random() % (3 * kRegionSize);
    case 1:
      return 1 + random() % kLargestSmall;
    case 2:
      return 1 + random() % 20'000;
    default:
      return 1 + random() % 500;
  }
}

TEST_F(SpaceTest, RandomAllocationsAndFreesNeverOverlapAndAllComesBack) {
  std::mt19937 random(7);
  Tenants tenants(group());
  for (int i = 0; i < 8000; ++i) {
    bool full = tenants.count() > 400;
    if (tenants.count() > 0 && (full || random() % 5 < 2)) {
      ASSERT_NO_FATAL_FAILURE(tenants.remove(random() % tenants.count()));
      continue;
    }
    uint64_t size = random_size(random);
    Result<uint64_t> offset = space_allocate(group(), size);
    if (!offset) {
      ASSERT_EQ(offset.error().status, MPC_EEXHAUSTED);
      ASSERT_GT(tenants.count(), 0u);
      ASSERT_NO_FATAL_FAILURE(tenants.remove(random() % tenants.count()));
      continue;
    }
    ASSERT_NO_FATAL_FAILURE(tenants.add(*offset, size)) << size;
  }
  while (tenants.count() > 0) ASSERT_NO_FATAL_FAILURE(tenants.remove(random() % tenants.count()));
  space_trim(group());
  EXPECT_EQ(regions_in_use(), 0u);
}

TEST_F(SpaceTest, TheCensusCountsWhatIsThere) {
  uint64_t small = allocate(65);
  uint64_t large = allocate(2 * kRegionSize - 1);
  SpaceCensus census = space_census(group(), group().self);
  EXPECT_EQ(census.blocks, 2u);
  EXPECT_EQ(census.bytes, 128 + 2 * kRegionSize);
  EXPECT_EQ(census.own_bytes, census.bytes);
  EXPECT_EQ(census.regions, 3u);
  EXPECT_TRUE(space_publish(group(), small));
  EXPECT_EQ(space_census(group(), group().self).own_bytes, 2 * kRegionSize);
  EXPECT_TRUE(space_free(group(), small));
  EXPECT_TRUE(space_free(group(), large));
}

TEST_F(SpaceTest, RoomIsThatOfTheClassOrOfWholeRegions) {
  EXPECT_EQ(space_room(group(), allocate(1)), 64u);
  EXPECT_EQ(space_room(group(), allocate(257)), 320u);
  EXPECT_EQ(space_room(group(), allocate(kLargestSmall)), kLargestSmall);
  EXPECT_EQ(space_room(group(), allocate(kLargestSmall + 1)), kRegionSize);
  EXPECT_EQ(space_room(group(), allocate(kRegionSize + 1)), 2 * kRegionSize);
  EXPECT_EQ(space_room(group(), 0), 0u);
  EXPECT_EQ(space_room(group(), UINT64_MAX), 0u);
}

TEST_F(SpaceTest, WhatIsNoBlockCannotBeFreed) {
  for (uint64_t size : {uint64_t{200}, 3 * kRegionSize}) {
    uint64_t offset = allocate(size);
    EXPECT_FALSE(space_free(group(), offset + 64));
    EXPECT_FALSE(space_free(group(), offset + 1));
    EXPECT_TRUE(space_free(group(), offset));
    EXPECT_FALSE(space_free(group(), offset));
  }
  for (uint64_t offset : {uint64_t{0}, group().heap_offset() - 64, mapping_.size, UINT64_MAX}) {
    EXPECT_FALSE(space_free(group(), offset)) << offset;
  }
}

TEST_F(SpaceTest, AnothersPrivateBlockCannotBeFreedNorPublished) {
  std::unique_ptr<Group> another = join();
  for (uint64_t size : {uint64_t{200}, 3 * kRegionSize}) {
    uint64_t offset = allocate(size);
    EXPECT_FALSE(space_free(*another, offset));
    EXPECT_FALSE(space_publish(*another, offset));
    EXPECT_TRUE(space_publish(group(), offset));
    EXPECT_TRUE(space_free(*another, offset));
  }
}

TEST_F(SpaceTest, ExhaustionIsAnErrorAndFreeingCuresIt) {
  std::vector<uint64_t> blocks;
  for (uint64_t size : {uint64_t{300'000}, 5 * kRegionSize}) {
    size_t before = 0;
    for (int round = 0; round < 2; ++round) {
      for (;;) {
        Result<uint64_t> offset = space_allocate(group(), size);
        if (!offset) {
          EXPECT_EQ(offset.error().status, MPC_EEXHAUSTED);
          break;
        }
        blocks.push_back(*offset);
      }
      EXPECT_GT(blocks.size(), 10u);
      if (round == 1) {
        EXPECT_EQ(blocks.size(), before);
      }
      before = blocks.size();
      for (uint64_t offset : blocks) ASSERT_TRUE(space_free(group(), offset));
      blocks.clear();
    }
  }
}

TEST_F(SpaceTest, TheLimitBindsBeforeTheAddressSpace) {
  group().header().limit.store(10 * kRegionSize);
  EXPECT_FALSE(space_allocate(group(), 11 * kRegionSize));
  uint64_t offset = allocate(10 * kRegionSize);
  EXPECT_FALSE(space_allocate(group(), 64));
  EXPECT_TRUE(space_free(group(), offset));
  EXPECT_NE(allocate(64), 0u);
}

TEST_F(SpaceTest, TrimGivesBackEmptyRegionsAndNoOthers) {
  std::vector<uint64_t> blocks;
  for (int i = 0; i < 40; ++i) blocks.push_back(allocate(100'000));
  uint64_t used = regions_in_use();
  EXPECT_GE(used, 4u);
  for (size_t i = 1; i < blocks.size(); ++i) ASSERT_TRUE(space_free(group(), blocks[i]));
  memset(group().at(blocks[0]), 'k', 100'000);
  space_trim(group());
  EXPECT_EQ(regions_in_use(), 1u);
  EXPECT_EQ(group().at(blocks[0])[99'999], 'k');
  EXPECT_TRUE(space_free(group(), blocks[0]));
  space_trim(group());
  EXPECT_EQ(regions_in_use(), 0u);
}

TEST_F(SpaceTest, MemoryThatWasGivenBackReadsAsZeroWhenItIsUsedAgain) {
  MPC_SKIP_WHERE_MADVISE_DOES_NOTHING();
  uint64_t offset = allocate(2 * kRegionSize);
  memset(group().at(offset), 'x', 2 * kRegionSize);
  ASSERT_TRUE(space_free(group(), offset));
  EXPECT_EQ(allocate(2 * kRegionSize), offset);
  EXPECT_EQ(*group().at(offset), 0);
  EXPECT_EQ(group().at(offset)[2 * kRegionSize - 1], 0);
}

TEST_F(SpaceTest, WhatWasPrivateToTheDeadIsFreedAndWhatWasPublishedStays) {
  std::unique_ptr<Group> another = join();
  Result<uint64_t> published = space_allocate(*another, 500);
  ASSERT_TRUE(published);
  ASSERT_TRUE(space_publish(*another, *published));
  for (uint64_t size : {uint64_t{64}, uint64_t{5000}, 4 * kRegionSize}) {
    ASSERT_TRUE(space_allocate(*another, size));
  }
  uint64_t own = allocate(64);
  sweep(group(), another->self);
  SpaceCensus census = space_census(group(), group().self);
  EXPECT_EQ(census.blocks, 2u);
  EXPECT_TRUE(space_free(group(), own));
  EXPECT_TRUE(space_free(group(), *published));
  space_trim(group());
  EXPECT_EQ(regions_in_use(), 0u);
}

TEST_F(SpaceTest, AnObjectsMemoryGoesAllAtOnce) {
  uint32_t object = object_word(5, 9);
  uint64_t marks = 0;
  for (uint64_t size : {uint64_t{64}, uint64_t{64}, uint64_t{10'000}, 3 * kRegionSize}) {
    uint64_t offset = allocate(size);
    marks |= uint64_t{1} << ((offset - group().heap_offset()) / kRegionSize % 64);
    space_adopt(group(), offset, object);
    EXPECT_FALSE(space_free(group(), offset)) << "it is the object's";
    space_free_of_object(group(), offset, object + 1);
    EXPECT_GT(space_room(group(), offset), 0u) << "it is not that object's";
  }
  uint64_t own = allocate(64);
  space_free_object(group(), object, marks);
  EXPECT_EQ(space_census(group(), group().self).blocks, 1u);
  EXPECT_TRUE(space_free(group(), own));
}

TEST_F(SpaceTest, ThreadsOfOneParticipantDoNotGetEachOthersBlocks) {
  constexpr int kThreads = 4;
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937 random(static_cast<unsigned>(t + 1));
      std::vector<std::pair<uint64_t, uint64_t>> mine;
      auto let_go = [&](size_t which) {
        auto [offset, size] = mine[which];
        auto* first = reinterpret_cast<uint64_t*>(group().at(offset));
        if (*first != static_cast<uint64_t>(t) + offset) ++wrong;
        if (group().at(offset)[size - 1] != static_cast<char>(t)) ++wrong;
        if (!space_free(group(), offset)) ++wrong;
        mine[which] = mine.back();
        mine.pop_back();
      };
      for (int i = 0; i < 2000; ++i) {
        if (mine.size() > 20 || (!mine.empty() && random() % 2 == 0)) {
          let_go(random() % mine.size());
        } else {
          uint64_t size = 9 + random_size(random) % (kRegionSize + 100);
          Result<uint64_t> offset = space_allocate(group(), size);
          if (!offset) continue;
          *reinterpret_cast<uint64_t*>(group().at(*offset)) = static_cast<uint64_t>(t) + *offset;
          group().at(*offset)[size - 1] = static_cast<char>(t);
          mine.emplace_back(*offset, size);
        }
        if (i % 100 == 0) space_trim(group());
      }
      while (!mine.empty()) let_go(mine.size() - 1);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  space_trim(group());
  EXPECT_EQ(regions_in_use(), 0u);
}

TEST_F(SpaceTest, MoreThreadsThanIntentSlotsMayGatherAtOnce) {
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (uint32_t t = 0; t < kIntentsPerParticipant + 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 20; ++i) {
        Result<uint64_t> offset = space_allocate(group(), 2 * kRegionSize);
        if (!offset) continue;
        if (!space_free(group(), *offset)) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(regions_in_use(), 0u);
}

}  // namespace
}  // namespace mpc
