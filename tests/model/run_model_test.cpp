// SPDX-License-Identifier: Apache-2.0
// Blocks of several regions: their taking is many words, so its intent is noted and undone for the
// dead.
#include <gtest/gtest.h>

#include "books.hpp"
#include "explored.hpp"
#include "group/sweep.hpp"
#include "group_model.hpp"
#include "tenant.hpp"

namespace mpc::model {
namespace {

constexpr uint64_t kTwoRegions = 2 * kRegionSize;
constexpr uint64_t kThreeRegions = 3 * kRegionSize;

TEST(RunModelTest, TwoThatGatherRegionsGetRunsOfTheirOwn) {
  GroupModel model("run, run", {.deaths = 2, .nobody_waits = true}, 8);
  Tenant tenants[2];
  model.keep(tenants);
  for (Tenant& tenant : tenants) {
    model.add("ann", [&](Group& group) {
      model.require(tenant.move_in(group, kTwoRegions), "no run");
      model.require(tenant.undisturbed(group), "two have one region");
    });
  }
  model.at_each_end([&](Group& observer) -> std::string {
    uint32_t regions = 0;
    for (int i = 0; i < 2; ++i) {
      if (model.is_dead(i) || tenants[i].offset == 0) continue;
      regions += 2;
      if (!tenants[i].undisturbed(observer)) return "a run lost what was in it";
    }
    return regions_in_use(observer) == regions ? "" : "not as many regions in use as are owned";
  });
  expect_holds(model.interleaver());
}

TEST(RunModelTest, WhatTheDeadHadGatheredIsLetGoAndNothingElse) {
  GroupModel model("run, sweep, run", {.deaths = 1, .nobody_waits = true}, 8);
  Tenant tenants[3];
  model.keep(tenants);
  model.add("ann", [&](Group& group) {
    model.require(tenants[0].move_in(group, kThreeRegions), "no run");
  });
  model.add("bob", [](Group& group) { sweep_all(group); });
  model.add("cid", [&](Group& group) {
    model.require(tenants[2].move_in(group, kTwoRegions), "no run");
    model.require(tenants[2].undisturbed(group), "two have one region");
  });
  model.at_each_end([&](Group& observer) -> std::string {
    uint32_t regions = 0;
    for (int i = 0; i < 3; ++i) {
      if (model.is_dead(i) || tenants[i].offset == 0) continue;
      regions += i == 0 ? 3 : 2;
      if (!tenants[i].undisturbed(observer)) return "a run lost what was in it";
    }
    return regions_in_use(observer) == regions ? "" : "not as many regions in use as are owned";
  });
  expect_holds(model.interleaver());
}

TEST(RunModelTest, ARunFreedWhileItsOwnerIsSweptIsFreedOnce) {
  GroupModel model("free, sweep, run", {.deaths = 1, .nobody_waits = true}, 8);
  Tenant tenants[3];
  model.keep(tenants);
  model.add(
      "ann",
      [&](Group& group) {
        model.require(static_cast<bool>(space_free(group, tenants[0].offset)), "not freed");
        tenants[0].offset = 0;
      },
      [&](Group& group) { tenants[0].move_in(group, kTwoRegions); });
  model.add("bob", [](Group& group) { sweep_all(group); });
  model.add("cid", [&](Group& group) {
    model.require(tenants[2].move_in(group, kTwoRegions), "no run");
    model.require(tenants[2].undisturbed(group), "two have one region");
  });
  model.at_each_end([&](Group& observer) -> std::string {
    const bool has = !model.is_dead(2) && tenants[2].offset != 0;
    if (has && !tenants[2].undisturbed(observer)) return "a run lost what was in it";
    return regions_in_use(observer) == (has ? 2u : 0u) ? "" : "not as many regions in use as owned";
  });
  expect_holds(model.interleaver());
}

TEST(RunModelTest, APublishedRunOutlivesItsMaker) {
  GroupModel model("publish run, sweep", {.deaths = 1, .nobody_waits = true}, 8);
  Tenant tenants[1];
  model.keep(tenants);
  model.add("ann", [&](Group& group) {
    model.require(tenants[0].move_in(group, kTwoRegions), "no run");
    model.require(static_cast<bool>(space_publish(group, tenants[0].offset)), "not published");
    tenants[0].published = 1;
  });
  model.add("bob", [](Group& group) { sweep_all(group); });
  model.at_each_end([&](Group& observer) -> std::string {
    const uint32_t regions = regions_in_use(observer);
    if (tenants[0].published == 0) return regions == 0 || regions == 2 ? "" : "half a run";
    if (!tenants[0].undisturbed(observer)) return "a run lost what was in it";
    return regions == 2 ? "" : "a published run is gone";
  });
  expect_holds(model.interleaver());
}

}  // namespace
}  // namespace mpc::model
