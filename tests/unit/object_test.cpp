// SPDX-License-Identifier: Apache-2.0
#include "group/object.hpp"

#include <algorithm>
#include <random>
#include <thread>
#include <vector>

#include "group_fixture.hpp"

namespace mpc {
namespace {

class ObjectTest : public GroupFixture {
 protected:
  ObjectId make(uint64_t size = 100) {
    Result<NewObject> object = NewObject::begin(group(), MPC_KIND_BLOCK, size);
    EXPECT_TRUE(object);
    EXPECT_TRUE(object->allocate(size));
    ObjectId id = object->id();
    EXPECT_TRUE(object->commit());
    return id;
  }

  std::vector<Owner> reserve(size_t count) {
    std::vector<Owner> owners;
    for (size_t i = 0; i < count; ++i) owners.push_back(*participant_reserve(group(), "child"));
    return owners;
  }

  uint32_t descriptors_in_use() {
    uint32_t used = 0;
    for (uint32_t i = 1; i < group().header().descriptors_high.load(); ++i) {
      DescriptorWord now{group().descriptor(i).state.load()};
      used += now.state() != DescriptorState::kFree ? 1 : 0;
    }
    return used;
  }

  uint64_t blocks() { return space_census(group(), group().self).blocks; }
};

TEST_F(ObjectTest, LivesWhileItsMakerHoldsIt) {
  ObjectId id = make();
  EXPECT_TRUE(object_live(group(), id));
  EXPECT_EQ(object_count(group()), 1u);
  object_detach(group(), id, group().self);
  EXPECT_FALSE(object_live(group(), id));
  EXPECT_EQ(object_count(group()), 0u);
  EXPECT_EQ(blocks(), 0u);
}

TEST_F(ObjectTest, ThatIsNotMadeToTheEndLeavesNothing) {
  {
    Result<NewObject> object = NewObject::begin(group(), MPC_KIND_BLOCK, 100);
    ASSERT_TRUE(object);
    ASSERT_TRUE(object->allocate(100));
    ASSERT_TRUE(object->allocate(3 * kRegionSize));
  }
  EXPECT_EQ(descriptors_in_use(), 0u);
  EXPECT_EQ(blocks(), 0u);
}

TEST_F(ObjectTest, HoldersBeyondOneDescriptorAreChainedAndTheChainGoesWithTheObject) {
  ObjectId id = make();
  std::vector<Owner> holders = reserve(5 * kHoldersPerDescriptor);
  for (Owner holder : holders) ASSERT_TRUE(object_attach(group(), id, holder));
  EXPECT_GE(descriptors_in_use(), 5u);
  EXPECT_EQ(object_count(group()), 1u) << "further holder words are no objects";
  std::shuffle(holders.begin(), holders.end(), std::mt19937(3));
  object_detach(group(), id, group().self);
  for (size_t i = 0; i < holders.size(); ++i) {
    ASSERT_TRUE(object_live(group(), id)) << i;
    object_detach(group(), id, holders[i]);
  }
  EXPECT_FALSE(object_live(group(), id));
  EXPECT_EQ(descriptors_in_use(), 0u);
  EXPECT_EQ(blocks(), 0u);
}

TEST_F(ObjectTest, HolderWordsThatWereLetGoAreUsedAgain) {
  ObjectId id = make();
  std::vector<Owner> holders = reserve(2 * kHoldersPerDescriptor);
  for (Owner holder : holders) ASSERT_TRUE(object_attach(group(), id, holder));
  uint32_t used = descriptors_in_use();
  for (int round = 0; round < 10; ++round) {
    for (Owner holder : holders) object_detach(group(), id, holder);
    for (Owner holder : holders) ASSERT_TRUE(object_attach(group(), id, holder));
  }
  EXPECT_EQ(descriptors_in_use(), used);
}

TEST_F(ObjectTest, OneOwnerMayHoldItTwice) {
  ObjectId id = make();
  Owner child = reserve(1)[0];
  ASSERT_TRUE(object_attach(group(), id, child));
  ASSERT_TRUE(object_attach(group(), id, child));
  object_detach(group(), id, group().self);
  object_detach(group(), id, child);
  EXPECT_TRUE(object_live(group(), id));
  object_detach(group(), id, child);
  EXPECT_FALSE(object_live(group(), id));
}

TEST_F(ObjectTest, DetachingWhoHoldsNothingChangesNothing) {
  ObjectId id = make();
  object_detach(group(), id, reserve(1)[0]);
  EXPECT_TRUE(object_live(group(), id));
}

TEST_F(ObjectTest, CannotBeAttachedOnceItWasDestroyedOrHasEnded) {
  ObjectId id = make();
  Owner child = reserve(1)[0];
  EXPECT_TRUE(object_destroy(group(), id));
  EXPECT_FALSE(object_destroy(group(), id));
  Result<void> attached = object_attach(group(), id, child);
  ASSERT_FALSE(attached);
  EXPECT_EQ(attached.error().status, MPC_ESTALE);
  EXPECT_EQ(blocks(), 1u) << "its maker still holds the memory";
  object_detach(group(), id, group().self);
  EXPECT_EQ(blocks(), 0u);
  EXPECT_FALSE(object_attach(group(), id, child));
}

TEST_F(ObjectTest, AnOldIdStaysStaleWhenItsPlaceIsUsedAgain) {
  ObjectId old = make();
  object_detach(group(), old, group().self);
  group().hints.descriptor.store(old.index);
  ObjectId fresh = make();
  ASSERT_EQ(fresh.index, old.index);
  EXPECT_NE(fresh.generation, old.generation);
  EXPECT_FALSE(object_live(group(), old));
  EXPECT_FALSE(object_attach(group(), old, group().self));
  EXPECT_FALSE(object_destroy(group(), old));
  object_detach(group(), old, group().self);
  EXPECT_TRUE(object_live(group(), fresh));
}

TEST_F(ObjectTest, IdsThatNeverWereAreStale) {
  for (uint32_t index : {0u, 5000u, group().header().descriptors, UINT32_MAX}) {
    Result<void> attached = object_attach(group(), ObjectId{index, 0}, group().self);
    ASSERT_FALSE(attached) << index;
    EXPECT_EQ(attached.error().status, MPC_ESTALE);
  }
}

TEST_F(ObjectTest, EndsWhenItsLastHolderDies) {
  std::unique_ptr<Group> another = join();
  ObjectId id = make();
  ASSERT_TRUE(object_attach(*another, id, another->self));
  object_detach(group(), id, group().self);
  EXPECT_TRUE(object_live(group(), id));
  sweep(group(), another->self);
  EXPECT_FALSE(object_live(group(), id));
  EXPECT_EQ(descriptors_in_use(), 0u);
  EXPECT_EQ(blocks(), 0u);
}

TEST_F(ObjectTest, LosesTheHoldersThatDieFromAnyPlaceOfTheChain) {
  ObjectId id = make();
  std::vector<Owner> holders = reserve(3 * kHoldersPerDescriptor);
  for (Owner holder : holders) ASSERT_TRUE(object_attach(group(), id, holder));
  object_detach(group(), id, group().self);
  std::shuffle(holders.begin(), holders.end(), std::mt19937(5));
  for (size_t i = 0; i < holders.size(); ++i) {
    ASSERT_TRUE(object_live(group(), id)) << i;
    sweep(group(), holders[i]);
  }
  EXPECT_FALSE(object_live(group(), id));
  EXPECT_EQ(descriptors_in_use(), 0u);
}

TEST_F(ObjectTest, WhatTheDeadWereMakingIsUndone) {
  std::unique_ptr<Group> another = join();
  Result<NewObject> object = NewObject::begin(*another, MPC_KIND_BLOCK, 100);
  ASSERT_TRUE(object);
  ASSERT_TRUE(object->allocate(2 * kRegionSize));
  sweep(group(), another->self);
  EXPECT_EQ(descriptors_in_use(), 0u);
  EXPECT_EQ(blocks(), 0u);
}

TEST_F(ObjectTest, MemoryThatIsAddedLaterGoesWithIt) {
  ObjectId id = make();
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(object_allocate(group(), id, i % 2 == 0 ? 100 : kRegionSize + 1));
  }
  EXPECT_EQ(blocks(), 11u);
  object_detach(group(), id, group().self);
  EXPECT_EQ(blocks(), 0u);
}

TEST_F(ObjectTest, ThereAreNoMoreThanThereAreDescriptors) {
  std::vector<ObjectId> ids;
  for (;;) {
    Result<NewObject> object = NewObject::begin(group(), MPC_KIND_BLOCK, 0);
    if (!object) {
      EXPECT_EQ(object.error().status, MPC_EEXHAUSTED);
      break;
    }
    ids.push_back(object->id());
    ASSERT_TRUE(object->commit());
  }
  EXPECT_EQ(ids.size(), group().header().descriptors - 1);
  object_detach(group(), ids[500], group().self);
  EXPECT_TRUE(NewObject::begin(group(), MPC_KIND_BLOCK, 0));
}

TEST_F(ObjectTest, ThreadsThatAttachAndDetachSeeItEndOnce) {
  std::vector<Owner> owners = reserve(4);
  for (int round = 0; round < 50; ++round) {
    ObjectId id = make();
    std::vector<std::thread> threads;
    for (Owner owner : owners) {
      threads.emplace_back([this, owner, id] {
        for (int i = 0; i < 50; ++i) {
          if (!object_attach(group(), id, owner)) return;
          object_detach(group(), id, owner);
        }
      });
    }
    object_detach(group(), id, group().self);
    for (std::thread& thread : threads) thread.join();
    ASSERT_FALSE(object_live(group(), id));
    ASSERT_EQ(descriptors_in_use(), 0u);
    ASSERT_EQ(blocks(), 0u);
  }
}

}  // namespace
}  // namespace mpc
