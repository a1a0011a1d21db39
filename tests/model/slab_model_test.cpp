// SPDX-License-Identifier: Apache-2.0
// Small blocks: taking, publishing, freeing and giving regions back, with somebody dying or
// stalled anywhere.
#include <gtest/gtest.h>

#include "books.hpp"
#include "explored.hpp"
#include "group/slab.hpp"
#include "group/sweep.hpp"
#include "group_model.hpp"
#include "tenant.hpp"

namespace mpc::model {
namespace {

// What is wrong if tenant number i is participant number i, and they are all who have blocks.
template <size_t kCount>
std::string disagreement(GroupModel& model, Group& observer, const Tenant (&tenants)[kCount]) {
  uint32_t blocks = 0;
  for (size_t i = 0; i < kCount; ++i) {
    const Tenant& tenant = tenants[i];
    const bool has =
        tenant.offset != 0 && (tenant.published || !model.is_dead(static_cast<int>(i)));
    if (!has) continue;
    ++blocks;
    if (!tenant.undisturbed(observer)) return "a block lost what was in it";
  }
  return blocks_in_use(observer) == blocks ? "" : "not as many blocks in use as are owned";
}

void empty_slab(Group& group) {
  Tenant tenant;
  if (tenant.move_in(group, kHalfRegion)) static_cast<void>(space_free(group, tenant.offset));
}

TEST(SlabModelTest, TwoThatAllocateGetBlocksOfTheirOwn) {
  GroupModel model("alloc, alloc", {.deaths = 2, .nobody_waits = true}, 4);
  Tenant tenants[2];
  model.keep(tenants);
  for (Tenant& tenant : tenants) {
    model.add("ann", [&](Group& group) {
      model.require(tenant.move_in(group, kHalfRegion), "no block");
      model.require(tenant.undisturbed(group), "two have one block");
    });
  }
  model.at_each_end([&](Group& observer) { return disagreement(model, observer, tenants); });
  expect_holds(model.interleaver());
}

TEST(SlabModelTest, ThreeThatAllocateInOneRegionGetBlocksOfTheirOwn) {
  GroupModel model("alloc, alloc, alloc", {.deaths = 1, .nobody_waits = true}, 4);
  Tenant tenants[3];
  model.keep(tenants);
  bool first = true;
  for (Tenant& tenant : tenants) {
    model.add(
        "ann",
        [&](Group& group) {
          model.require(tenant.move_in(group, kHalfRegion), "no block");
          model.require(tenant.undisturbed(group), "two have one block");
        },
        first ? GroupModel::Body(empty_slab) : GroupModel::Body());
    first = false;
  }
  model.at_each_end([&](Group& observer) { return disagreement(model, observer, tenants); });
  expect_holds(model.interleaver());
}

TEST(SlabModelTest, ABlockTakenFromARegionThatIsBeingGivenBackKeepsItsContents) {
  GroupModel model("alloc, retire", {.deaths = 2, .nobody_waits = true}, 4);
  Tenant tenants[1];
  model.keep(tenants);
  model.add(
      "ann",
      [&](Group& group) {
        model.require(tenants[0].move_in(group, kHalfRegion), "no block");
        model.require(tenants[0].undisturbed(group), "a block lost what was in it");
      },
      empty_slab);
  model.add("bob", [](Group& group) { space_trim(group); });
  model.at_each_end([&](Group& observer) { return disagreement(model, observer, tenants); });
  expect_holds(model.interleaver());
}

TEST(SlabModelTest, ABlockOfARegionThatWasCutAnewIsNotTakenByWhoKnewItBefore) {
  GroupModel model("alloc, retire and alloc", {.deaths = 1, .nobody_waits = true}, 4);
  Tenant tenants[2];
  model.keep(tenants);
  model.add(
      "ann",
      [&](Group& group) {
        model.require(tenants[0].move_in(group, kHalfRegion), "no block");
        model.require(tenants[0].undisturbed(group), "two have one block");
      },
      [](Group& group) {
        empty_slab(group);
        empty_slab(group);  // she would take the first block next, as bob will
      });
  model.add("bob", [&](Group& group) {
    space_trim(group);
    model.require(tenants[1].move_in(group, kHalfRegion), "no block");
    model.require(tenants[1].undisturbed(group), "two have one block");
  });
  model.at_each_end([&](Group& observer) { return disagreement(model, observer, tenants); });
  expect_holds(model.interleaver());
}

TEST(SlabModelTest, ARegionWhoseRetirerDiedIsASlabAgain) {
  GroupModel model("alloc, retire, sweep", {.deaths = 1, .nobody_waits = true}, 4);
  Tenant tenants[1];
  model.keep(tenants);
  model.add(
      "ann",
      [&](Group& group) {
        model.require(tenants[0].move_in(group, kHalfRegion), "no block");
        model.require(tenants[0].undisturbed(group), "a block lost what was in it");
      },
      empty_slab);
  model.add("bob", [](Group& group) { slab_retire_if_empty(group, 0); });
  model.add("cid", [](Group& group) { sweep_all(group); });
  model.at_each_end([&](Group& observer) { return disagreement(model, observer, tenants); });
  expect_holds(model.interleaver());
}

TEST(SlabModelTest, TwoThatGiveOneRegionBackDoItOnce) {
  GroupModel model("retire, retire, alloc", {.deaths = 1, .nobody_waits = true}, 4);
  Tenant tenants[1];
  model.keep(tenants);
  model.add(
      "ann",
      [&](Group& group) { model.require(tenants[0].move_in(group, kHalfRegion), "no block"); },
      empty_slab);
  model.add("bob", [](Group& group) { slab_retire_if_empty(group, 0); });
  model.add("cid", [](Group& group) { slab_retire_if_empty(group, 0); });
  model.at_each_end([&](Group& observer) { return disagreement(model, observer, tenants); });
  expect_holds(model.interleaver());
}

TEST(SlabModelTest, APublishedBlockOutlivesItsMaker) {
  GroupModel model("publish, sweep", {.deaths = 1, .nobody_waits = true}, 4);
  Tenant tenants[1];
  model.keep(tenants);
  model.add("ann", [&](Group& group) {
    model.require(tenants[0].move_in(group, kHalfRegion), "no block");
    model.require(static_cast<bool>(space_publish(group, tenants[0].offset)), "not published");
    tenants[0].published = 1;
  });
  model.add("bob", [](Group& group) { sweep_all(group); });
  model.at_each_end([&](Group& observer) -> std::string {
    const bool died = model.is_dead(0);
    // Dead between the committing step and its return: the block is the group's, or was swept.
    if (died && tenants[0].published == 0 && blocks_in_use(observer) <= 1) return {};
    return disagreement(model, observer, tenants);
  });
  expect_holds(model.interleaver());
}

TEST(SlabModelTest, ABlockFreedWhileItsOwnerIsSweptIsFreedOnce) {
  GroupModel model("free, sweep, alloc", {.deaths = 1, .nobody_waits = true}, 1);
  Tenant tenants[3];
  model.keep(tenants);
  model.add(
      "ann",
      [&](Group& group) {
        model.require(static_cast<bool>(space_free(group, tenants[0].offset)), "not freed");
        tenants[0].offset = 0;
      },
      [&](Group& group) { tenants[0].move_in(group, kHalfRegion); });
  model.add("bob", [](Group& group) { sweep_all(group); });
  model.add("cid", [&](Group& group) {
    model.require(tenants[2].move_in(group, kHalfRegion), "no block");
    model.require(tenants[2].undisturbed(group), "two have one block");
  });
  model.at_each_end([&](Group& observer) { return disagreement(model, observer, tenants); });
  expect_holds(model.interleaver());
}

TEST(SlabModelTest, AGroupsBlockFreedByTwoIsFreedOnce) {
  GroupModel model("free, free, alloc", {.deaths = 1, .nobody_waits = true}, 1);
  Tenant shared;
  uint64_t freed[2] = {};
  Tenant tenants[3];
  model.keep(tenants);
  model.keep(freed);
  for (int i = 0; i < 2; ++i) {
    model.add(
        "ann", [&, i](Group& group) { freed[i] = space_free(group, shared.offset) ? 1 : 0; },
        i == 0 ? GroupModel::Body([&](Group& group) {
          shared.move_in(group, kHalfRegion);
          static_cast<void>(space_publish(group, shared.offset));
        })
               : GroupModel::Body());
  }
  model.add("cid", [&](Group& group) {
    model.require(tenants[2].move_in(group, kHalfRegion), "no block");
    model.require(tenants[2].undisturbed(group), "two have one block");
  });
  model.at_each_end([&](Group& observer) -> std::string {
    if (freed[0] + freed[1] > 1) return "freed twice";
    if (model.is_dead(0) || model.is_dead(1)) return {};
    if (freed[0] + freed[1] == 0) return "never freed";
    return disagreement(model, observer, tenants);
  });
  expect_holds(model.interleaver());
}

}  // namespace
}  // namespace mpc::model
