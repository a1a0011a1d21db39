// SPDX-License-Identifier: Apache-2.0
// A group's whole life of participants, without the processes.
#include "group_fixture.hpp"

namespace mpc {
namespace {

class MillionTest : public GroupFixture {};

TEST_F(MillionTest, AMillionChildrenComeAndGoAndNoOwnerWordComesTwice) {
  constexpr uint32_t kLives = 1'000'000;
  std::unique_ptr<Group> child = open();
  std::vector<uint32_t> last(kParticipants, 0);
  for (uint32_t i = 0; i < kLives; ++i) {
    Result<Owner> owner = participant_reserve(group(), "child");
    ASSERT_TRUE(owner) << i;
    ASSERT_GT(owner->generation(), last[owner->index()]) << i;
    last[owner->index()] = owner->generation();
    ASSERT_TRUE(participant_activate(*child, *owner, group().self));
    participant_leave(*child);
    participant_release(group(), *owner);
  }
  EXPECT_EQ(group().header().starts.load(), kLives + 1u);
  EXPECT_LE(group().header().participants_high.load(), 2 * kRecordsInUse);
}

}  // namespace
}  // namespace mpc
