// SPDX-License-Identifier: Apache-2.0
// Several sweepers at once on one that is dead, of whom one dies or is stalled and goes on late,
// when what he was sweeping is somebody else's.
#include <gtest/gtest.h>

#include <new>
#include <ostream>
#include <utility>

#include "books.hpp"
#include "explored.hpp"
#include "group/intent.hpp"
#include "group/object.hpp"
#include "group/participant.hpp"
#include "group/run.hpp"
#include "group/sweep.hpp"
#include "group_model.hpp"
#include "tenant.hpp"

namespace mpc::model {
namespace {

constexpr uint64_t kTwoRegions = 2 * kRegionSize;

// Never destroyed: the dead clear nothing.
template <class T, class... Arguments>
void leave_behind(Arguments&&... arguments) {
  alignas(T) static unsigned char room[sizeof(T)];
  new (room) T(std::forward<Arguments>(arguments)...);
}

// Dies after it has gathered the first of two regions.
void die_gathering(Group& group) {
  Result<RunPlace> place = run_find(group, 2);
  if (!place) std::abort();
  leave_behind<IntentNote>(group, Intent::kBuild, place->first, 2, place->stamp);
  if (!run_gather(group, *place, 2)) std::abort();
}

void die_with_a_run(Group& group) {
  Tenant tenant;
  if (!tenant.move_in(group, kTwoRegions)) std::abort();
}

void die_with_blocks(Group& group) {
  Tenant tenant;
  if (!tenant.move_in(group, kHalfRegion) || !tenant.move_in(group, kHalfRegion)) std::abort();
}

void die_with_an_object(Group& group) {
  Result<NewObject> object = NewObject::begin(group, 1, kHalfRegion);
  if (!object || !object->allocate(kHalfRegion) || !object->commit()) std::abort();
}

void die_making_an_object(Group& group) {
  Result<NewObject> object = NewObject::begin(group, 1, kHalfRegion);
  if (!object || !object->allocate(kHalfRegion)) std::abort();
  leave_behind<NewObject>(std::move(*object));
}

void die_with_a_child_reserved(Group& group) {
  if (!participant_reserve(group, "child")) std::abort();
}

struct Leaving {
  const char* name;
  void (*leave)(Group&);
};

void PrintTo(const Leaving& leaving, std::ostream* out) { *out << leaving.name; }

class SweepModelTest : public testing::TestWithParam<Leaving> {};

// The second one reserves the record of the dead as soon as it is free and takes memory, while the
// first may be anywhere in its sweep of whoever had that record before.
TEST_P(SweepModelTest, ALateSweeperTakesNothingFromTheNext) {
  GroupModel model("sweep, sweep and reuse", {.deaths = 2, .nobody_waits = true}, 8);
  Tenant tenant;
  Owner next;
  model.keep(tenant);
  model.keep(next);
  const Owner dead = model.add_dead(GetParam().leave);
  model.add("ann", [&](Group& group) { sweep(group, dead); });
  model.add("bob", [&](Group& group) {
    sweep(group, dead);
    Result<Owner> reserved = participant_reserve(group, "next");
    model.require(static_cast<bool>(reserved), "no record");
    next = *reserved;
    model.require(tenant.move_in(group, kHalfRegion), "no block");
    model.require(tenant.undisturbed(group), "two have one block");
  });
  model.next_record(dead.index());
  model.at_each_end([&](Group& observer) -> std::string {
    if (descriptors_in_use(observer) != 0) return "a descriptor of the dead is in use";
    if (model.is_dead(1))
      return blocks_in_use(observer) == 0 ? "" : "blocks of the dead are in use";
    if (next.index() != dead.index()) return "the record of the dead was not free";
    if (!participant_present(observer, next)) return "the next in the record is not there";
    if (!tenant.undisturbed(observer)) return "a block lost what was in it";
    return blocks_in_use(observer) == 1 ? "" : "not as many blocks in use as are owned";
  });
  expect_holds(model.interleaver());
}

// With two of three stalled where they like. That one of them dies is in the model above.
TEST_P(SweepModelTest, ThreeSweepersLeaveNothing) {
  GroupModel model("three sweepers", {.deaths = 0, .nobody_waits = true}, 8);
  const Owner dead = model.add_dead(GetParam().leave);
  for (const char* name : {"ann", "bob", "cid"}) {
    model.add(name, [&](Group& group) { sweep(group, dead); });
  }
  model.at_each_end([&](Group& observer) -> std::string {
    if (descriptors_in_use(observer) != 0) return "a descriptor of the dead is in use";
    return blocks_in_use(observer) == 0 ? "" : "blocks of the dead are in use";
  });
  expect_holds(model.interleaver());
}

INSTANTIATE_TEST_SUITE_P(AllLeavings, SweepModelTest,
                         testing::Values(Leaving{"Gathering", die_gathering},
                                         Leaving{"WithARun", die_with_a_run},
                                         Leaving{"WithBlocks", die_with_blocks},
                                         Leaving{"WithAnObject", die_with_an_object},
                                         Leaving{"MakingAnObject", die_making_an_object},
                                         Leaving{"WithAChildReserved", die_with_a_child_reserved}),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace mpc::model
