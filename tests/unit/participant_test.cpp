// SPDX-License-Identifier: Apache-2.0
#include "group/participant.hpp"

#include <vector>

#include "group_fixture.hpp"

namespace mpc {
namespace {

class ParticipantTest : public GroupFixture {};

TEST_F(ParticipantTest, OneThatJoinsIsPresentUnderItsName) {
  Participant& record = group().own_record();
  EXPECT_TRUE(group().self);
  EXPECT_TRUE(participant_present(group(), group().self));
  EXPECT_EQ(state_of(group().self).state(), ParticipantState::kLive);
  EXPECT_STREQ(record.name, "first");
  EXPECT_EQ(state_of(group().self).by(), static_cast<uint32_t>(getpid()));
}

TEST_F(ParticipantTest, ANameThatIsTooLongIsCut) {
  std::unique_ptr<Group> view = open();
  ASSERT_TRUE(participant_join(*view, std::string(100, 'n')));
  EXPECT_EQ(std::string(view->own_record().name), std::string(63, 'n'));
}

TEST_F(ParticipantTest, OneThatLeftIsNotPresentAndItsOwnerWordNeverComesAgain) {
  std::unique_ptr<Group> another = join();
  Owner gone = another->self;
  participant_leave(*another);
  EXPECT_FALSE(another->self);
  EXPECT_FALSE(participant_present(group(), gone));
  for (int i = 0; i < 300; ++i) {
    ASSERT_TRUE(participant_join(*another, "another"));
    EXPECT_NE(another->self, gone);
    participant_leave(*another);
  }
}

TEST_F(ParticipantTest, AnIndexIsUsedAgainOnlyAfterTheOthersInUse) {
  std::unique_ptr<Group> another = open();
  std::vector<uint32_t> indexes;
  for (uint32_t i = 0; i < 4 * kRecordsInUse; ++i) {
    ASSERT_TRUE(participant_join(*another, "another"));
    indexes.push_back(another->self.index());
    participant_leave(*another);
  }
  // The first participant keeps its record, so that there is one less to go round.
  for (size_t i = 0; i < indexes.size(); ++i) {
    for (size_t k = 1; k + 2 < kRecordsInUse && i + k < indexes.size(); ++k) {
      ASSERT_NE(indexes[i], indexes[i + k]) << i << " and " << i + k;
    }
  }
}

TEST_F(ParticipantTest, AnIndexThatIsUsedAgainHasTheNextGeneration) {
  std::unique_ptr<Group> another = open();
  std::vector<uint32_t> last(kParticipants, 0);
  for (uint32_t i = 0; i < 3 * kRecordsInUse; ++i) {
    ASSERT_TRUE(participant_join(*another, "another"));
    uint32_t& generation = last[another->self.index()];
    EXPECT_EQ(another->self.generation(), generation + 1);
    generation = another->self.generation();
    participant_leave(*another);
  }
}

TEST_F(ParticipantTest, ARecordWhoseGenerationsAreUsedUpIsRetired) {
  std::unique_ptr<Group> another = join();
  uint32_t index = another->self.index();
  participant_leave(*another);
  group().participant(index).state.store(
      ParticipantWord::make(Owner::kMaxGeneration, ParticipantState::kFree, 0).word);
  bool used = false;
  for (uint32_t i = 0; i < 3 * kRecordsInUse; ++i) {
    ASSERT_TRUE(participant_join(*another, "another"));
    if (another->self.index() == index) {
      EXPECT_FALSE(used) << "its generations began anew";
      EXPECT_EQ(another->self.generation(), Owner::kMaxGeneration);
      used = true;
    }
    participant_leave(*another);
  }
  EXPECT_TRUE(used);
  EXPECT_EQ(ParticipantWord{group().participant(index).state.load()}.state(),
            ParticipantState::kRetired);
}

TEST_F(ParticipantTest, AChildTakesOverWhatWasReservedForIt) {
  Result<Owner> reserved = participant_reserve(group(), "child");
  ASSERT_TRUE(reserved);
  EXPECT_TRUE(participant_present(group(), *reserved));
  std::unique_ptr<Group> child = open();
  ASSERT_TRUE(participant_activate(*child, *reserved, group().self));
  EXPECT_EQ(child->self, *reserved);
  EXPECT_EQ(state_of(*reserved).state(), ParticipantState::kLive);
  EXPECT_FALSE(participant_activate(*child, *reserved, group().self)) << "once";
}

TEST_F(ParticipantTest, AChildWhoseRecordWasGivenUpCannotTakeItOver) {
  Result<Owner> reserved = participant_reserve(group(), "child");
  ASSERT_TRUE(reserved);
  sweep(group(), *reserved);
  std::unique_ptr<Group> child = open();
  EXPECT_FALSE(participant_activate(*child, *reserved, group().self));
}

TEST_F(ParticipantTest, TheExitRecordIsKeptForTheStarterUntilItLetsItGo) {
  Owner reserved = *participant_reserve(group(), "child");
  std::unique_ptr<Group> child = open();
  ASSERT_TRUE(participant_activate(*child, reserved, group().self));
  EXPECT_EQ(exit_record_read(group(), reserved), -1);
  exit_record_write(*child, 256 + 41);
  participant_leave(*child);
  EXPECT_EQ(state_of(reserved).state(), ParticipantState::kDone);
  EXPECT_EQ(exit_record_read(group(), reserved), 41);
  participant_release(group(), reserved);
  EXPECT_EQ(state_of(reserved).state(), ParticipantState::kFree);
  participant_release(group(), reserved);
  EXPECT_EQ(state_of(reserved).state(), ParticipantState::kFree);
}

TEST_F(ParticipantTest, AnExitRecordOfAnEarlierGenerationIsNotTaken) {
  Owner reserved = *participant_reserve(group(), "child");
  std::unique_ptr<Group> child = open();
  ASSERT_TRUE(participant_activate(*child, reserved, group().self));
  exit_record_write(*child, 3);
  Owner later = Owner::make(reserved.index(), reserved.generation() + 1);
  EXPECT_EQ(exit_record_read(group(), later), -1);
}

TEST_F(ParticipantTest, RecordsOfADeadStartersChildrenAreSweptWithIt) {
  std::unique_ptr<Group> starter = join();
  Owner waiting = *participant_reserve(*starter, "never began");
  Owner done = *participant_reserve(*starter, "done");
  std::unique_ptr<Group> child = open();
  ASSERT_TRUE(participant_activate(*child, done, starter->self));
  participant_leave(*child);
  ASSERT_EQ(state_of(done).state(), ParticipantState::kDone);
  sweep(group(), starter->self);
  EXPECT_EQ(state_of(waiting).state(), ParticipantState::kFree);
  EXPECT_EQ(state_of(done).state(), ParticipantState::kFree);
}

TEST_F(ParticipantTest, SweepingTheDeadTwiceChangesNothing) {
  std::unique_ptr<Group> another = join();
  Owner dead = another->self;
  uint32_t deaths = group().header().deaths.load();
  sweep(group(), dead);
  uint64_t after = state_of(dead).word;
  sweep(group(), dead);
  EXPECT_EQ(state_of(dead).word, after);
  EXPECT_EQ(group().header().deaths.load(), deaths + 1);
}

TEST_F(ParticipantTest, SweepAllLeavesTheLivingAndItself) {
  std::unique_ptr<Group> another = join();
  EXPECT_EQ(sweep_all(group()), 0u);
  group().life = everybody_died;
  EXPECT_EQ(sweep_all(group()), 1u);
  EXPECT_FALSE(participant_present(group(), another->self));
  EXPECT_TRUE(participant_present(group(), group().self));
}

TEST_F(ParticipantTest, ThereAreNoMoreThan4096AtOnceAndOneThatGoesMakesRoom) {
  std::vector<Owner> children;
  for (uint32_t i = 1; i < kParticipants; ++i) {
    Result<Owner> reserved = participant_reserve(group(), "child");
    ASSERT_TRUE(reserved) << i << ": " << reserved.error().message;
    children.push_back(*reserved);
  }
  Result<Owner> refused = participant_reserve(group(), "one too many");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().status, MPC_EPARTICIPANTS);
  EXPECT_NE(refused.error().message.find("4096"), std::string::npos);
  sweep(group(), children[1234]);
  Result<Owner> again = participant_reserve(group(), "in its place");
  ASSERT_TRUE(again);
  EXPECT_EQ(again->index(), children[1234].index());
  for (Owner child : children) sweep(group(), child);
}

}  // namespace
}  // namespace mpc
