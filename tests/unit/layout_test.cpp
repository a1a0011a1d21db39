// SPDX-License-Identifier: Apache-2.0
#include "group/layout.hpp"

#include <gtest/gtest.h>

#include "group_fixture.hpp"

namespace mpc {
namespace {

TEST(SizeClassTest, EverySizeGoesIntoTheSmallestClassThatHoldsIt) {
  for (uint64_t size = 1; size <= kLargestSmall; ++size) {
    uint32_t size_class = class_of(size);
    ASSERT_LT(size_class, kClasses) << size;
    ASSERT_GE(class_size(size_class), size);
    if (size_class > 0) {
      ASSERT_LT(class_size(size_class - 1), size);
    }
  }
}

TEST(SizeClassTest, ClassesAreMultiplesOf64UpToHalfARegion) {
  EXPECT_EQ(class_size(0), kSmallestBlock);
  EXPECT_EQ(class_size(kClasses - 1), kLargestSmall);
  for (uint32_t c = 0; c < kClasses; ++c) EXPECT_EQ(class_size(c) % 64, 0u) << c;
}

TEST(SizeClassTest, AboveTheSmallestNoMoreThanAQuarterIsWasted) {
  for (uint64_t size = 193; size <= kLargestSmall; ++size) {
    ASSERT_LE(class_size(class_of(size)), size + size / 4 + 64) << size;
  }
}

class PlanTest : public testing::TestWithParam<uint64_t> {};

TEST_P(PlanTest, EverythingIsInOrderApartAndInside) {
  Plan plan = plan_for(GetParam());
  EXPECT_EQ(plan.size, GetParam());
  EXPECT_GE(plan.participants_offset, sizeof(Header));
  EXPECT_GE(plan.descriptors_offset,
            plan.participants_offset + uint64_t{kParticipants} * sizeof(Participant));
  EXPECT_GE(plan.regions_offset,
            plan.descriptors_offset + uint64_t{plan.descriptors} * sizeof(Descriptor));
  EXPECT_GE(plan.blocks_offset, plan.regions_offset + uint64_t{plan.regions} * sizeof(Region));
  EXPECT_GE(plan.heap_offset,
            plan.blocks_offset + uint64_t{plan.regions} * kBlocksPerRegion * sizeof(uint64_t));
  EXPECT_LE(plan.heap_offset + uint64_t{plan.regions} * kRegionSize, plan.size);
}

TEST_P(PlanTest, EverythingIsAligned) {
  Plan plan = plan_for(GetParam());
  EXPECT_EQ(plan.heap_offset % kRegionSize, 0u);
  for (uint64_t offset : {plan.participants_offset, plan.descriptors_offset, plan.regions_offset,
                          plan.blocks_offset}) {
    EXPECT_EQ(offset % 64, 0u);
  }
}

TEST_P(PlanTest, MostOfItIsHeapAndIndexesFitTheirWords) {
  Plan plan = plan_for(GetParam());
  EXPECT_GE(plan.regions, 1u);
  EXPECT_GE((uint64_t{plan.regions} * kRegionSize) * 2, plan.size);
  EXPECT_LE(plan.descriptors, 1u << 20);
  EXPECT_GE(plan.descriptors, 1024u);
}

INSTANTIATE_TEST_SUITE_P(Sizes, PlanTest,
                         testing::Values(kLeastGroup, kLeastGroup + 4096, kLeastGroup * 3 / 2,
                                         uint64_t{64} << 20, uint64_t{1} << 30,
                                         (uint64_t{1} << 30) + 12345 * 4096, uint64_t{5} << 30,
                                         uint64_t{64} << 30, kDefaultGroup));

TEST(WordTest, WordsGiveBackWhatTheyWereMadeOf) {
  Owner owner = Owner::make(4095, Owner::kMaxGeneration);
  EXPECT_EQ(owner.index(), 4095u);
  EXPECT_EQ(owner.generation(), Owner::kMaxGeneration);
  EXPECT_EQ(owner.word >> 30, 0u) << "the flags are free";
  ParticipantWord participant =
      ParticipantWord::make(Owner::kMaxGeneration, ParticipantState::kRetired, UINT32_MAX);
  EXPECT_EQ(participant.generation(), Owner::kMaxGeneration);
  EXPECT_EQ(participant.state(), ParticipantState::kRetired);
  EXPECT_EQ(participant.by(), UINT32_MAX);
  SpaceWord space = SpaceWord::make(SpaceState::kRetiring, kStampMask, UINT32_MAX);
  EXPECT_EQ(space.state(), SpaceState::kRetiring);
  EXPECT_EQ(space.stamp(), kStampMask);
  EXPECT_EQ(space.who(), UINT32_MAX);
  EXPECT_EQ(space.with(SpaceState::kSlab, 7).stamp(), kStampMask);
  DescriptorWord descriptor =
      DescriptorWord::make(kObjectGenerationMask, DescriptorState::kHolders, UINT32_MAX);
  EXPECT_EQ(descriptor.generation(), kObjectGenerationMask);
  EXPECT_EQ(descriptor.state(), DescriptorState::kHolders);
  EXPECT_EQ(descriptor.by(), UINT32_MAX);
  HolderWord holder = HolderWord::make(kObjectGenerationMask, owner);
  EXPECT_EQ(holder.generation(), kObjectGenerationMask);
  EXPECT_EQ(holder.owner(), owner);
}

class GroupOpenTest : public GroupFixture {};

TEST_F(GroupOpenTest, FindsWhatWasFormatted) {
  Result<Group> opened = Group::open(mapping_);
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->header().id, 0x1234u);
  EXPECT_EQ(opened->heap(0), group().heap(0));
}

TEST_F(GroupOpenTest, RefusesAnotherLayoutVersionAndNamesBoth) {
  group().header().layout_version = kLayoutVersion + 1;
  Result<Group> opened = Group::open(mapping_);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().status, MPC_ELAYOUT);
  EXPECT_NE(opened.error().message.find("version " + std::to_string(kLayoutVersion + 1)),
            std::string::npos);
  EXPECT_NE(opened.error().message.find("speaks " + std::to_string(kLayoutVersion)),
            std::string::npos);
}

TEST_F(GroupOpenTest, RefusesAGroupOfAnotherSize) {
  group().header().size += 4096;
  Result<Group> opened = Group::open(mapping_);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().status, MPC_ELAYOUT);
}

TEST_F(GroupOpenTest, RefusesMemoryThatIsNoGroups) {
  group().header().magic = 0;
  Result<Group> opened = Group::open(mapping_);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().status, MPC_EGROUP);
}

}  // namespace
}  // namespace mpc
