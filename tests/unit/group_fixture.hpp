// SPDX-License-Identifier: Apache-2.0
// Groups without processes: one memory, several participants that are all this process.
#ifndef MPC_TESTS_UNIT_GROUP_FIXTURE_HPP
#define MPC_TESTS_UNIT_GROUP_FIXTURE_HPP

#include <gtest/gtest.h>
#include <unistd.h>

#include <memory>
#include <set>
#include <utility>

#include "group/group.hpp"
#include "group/object.hpp"
#include "group/participant.hpp"
#include "group/space.hpp"
#include "group/sweep.hpp"

namespace mpc {

inline constexpr uint64_t kTestGroup = uint64_t{128} << 20;

class GroupFixture : public testing::Test {
 protected:
  GroupFixture() : mapping_(*map_group_memory(kTestGroup, kLeastGroup)) {
    group_ = std::make_unique<Group>(Group::format(mapping_, 0x1234, kTestGroup));
    group_->life = everybody_lives;
    EXPECT_TRUE(participant_join(*group_, "first"));
  }
  ~GroupFixture() override {
    int fd = mapping_.fd;
    unmap_group_memory(mapping_);
    if (fd >= 0) close(fd);
  }

  Group& group() { return *group_; }

  // Another view of the same memory, which has not joined.
  std::unique_ptr<Group> open() {
    Result<Group> opened = Group::open(mapping_);
    EXPECT_TRUE(opened);
    auto view = std::make_unique<Group>(std::move(*opened));
    view->life = everybody_lives;
    return view;
  }
  std::unique_ptr<Group> join() {
    std::unique_ptr<Group> view = open();
    EXPECT_TRUE(participant_join(*view, "another"));
    return view;
  }

  // Participants are this process: it is for the test to say who has died.
  static Life everybody_lives(const Group&, int32_t, uint64_t) { return Life::kAlive; }
  static Life everybody_died(const Group&, int32_t, uint64_t) { return Life::kDead; }

  ParticipantWord state_of(Owner owner) {
    return ParticipantWord{group_->participant(owner.index()).state.load()};
  }

  Mapping mapping_;

 private:
  std::unique_ptr<Group> group_;
};

}  // namespace mpc

#endif
