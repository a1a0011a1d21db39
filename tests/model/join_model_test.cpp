// SPDX-License-Identifier: Apache-2.0
// Coming and going: join, leave, reserve and activate, with somebody dying or stalled anywhere.
#include <gtest/gtest.h>

#include "books.hpp"
#include "explored.hpp"
#include "group/participant.hpp"
#include "group/sweep.hpp"
#include "group_model.hpp"

namespace mpc::model {
namespace {

TEST(JoinModelTest, TwoThatJoinGetRecordsOfTheirOwn) {
  GroupModel model("join, join", {.deaths = 1, .nobody_waits = true}, 2);
  Group* groups[2];
  for (int i = 0; i < 2; ++i) {
    groups[i] = &model.add_outsider(i == 0 ? "ann" : "bob", [&](Group& group) {
      model.require(static_cast<bool>(participant_join(group, "ann")), "cannot join");
      model.require(participant_present(group, group.self), "joined and not there");
    });
  }
  model.at_each_end([&](Group& observer) -> std::string {
    if (groups[0]->self && groups[0]->self == groups[1]->self) return "two have one owner word";
    for (int i = 0; i < 2; ++i) {
      const bool there = groups[i]->self && participant_present(observer, groups[i]->self);
      if (!model.is_dead(i) && !there) return "a living participant is not there";
    }
    return {};
  });
  expect_holds(model.interleaver());
}

TEST(JoinModelTest, OneThatJoinsWhileAnotherLeavesTakesNothingOfIts) {
  GroupModel model("leave, join", {.deaths = 1, .nobody_waits = true}, 2);
  model.add("ann", [&](Group& group) { participant_leave(group); });
  Group& bob = model.add_outsider("bob", [&](Group& group) {
    model.require(static_cast<bool>(participant_join(group, "bob")), "cannot join");
  });
  model.next_record(1);  // ann's, if she has left by then
  model.at_each_end([&](Group& observer) -> std::string {
    if (participant_present(observer, Owner::make(1, 1))) return "ann is there still";
    const bool there = bob.self && participant_present(observer, bob.self);
    return model.is_dead(1) || there ? "" : "bob is not there";
  });
  expect_holds(model.interleaver());
}

}  // namespace
}  // namespace mpc::model
