// SPDX-License-Identifier: Apache-2.0
// The end of an object: attaching against the last detach and against destroy, with somebody dying
// or stalled anywhere, and with its descriptor used again at once.
#include <gtest/gtest.h>

#include "books.hpp"
#include "explored.hpp"
#include "group/object.hpp"
#include "group/participant.hpp"
#include "group/sweep.hpp"
#include "group_model.hpp"
#include "tenant.hpp"

namespace mpc::model {
namespace {

constexpr uint64_t kMark = 0x6d61726b;

// Made and live, with the caller attached and a mark in its body.
ObjectId make_object(Group& group) {
  Result<NewObject> object = NewObject::begin(group, 1, kHalfRegion);
  if (!object) return {};
  Result<uint64_t> body = object->allocate(kHalfRegion);
  if (!body) return {};
  GroupModel::contents(group, *body).store(kMark);
  const ObjectId id = object->id();
  if (!object->commit()) return {};
  return id;
}

bool has_its_mark(Group& group, ObjectId id) {
  return GroupModel::contents(group, object_body(group, id)).load() == kMark;
}

std::string nothing_left(const Group& observer) {
  if (descriptors_in_use(observer) != 0) return "a descriptor is in use";
  return blocks_in_use(observer) == 0 ? "" : "memory of an ended object is in use";
}

TEST(ObjectModelTest, OneAttachesOrFindsItStaleWhileTheLastDetaches) {
  GroupModel model("detach, attach", {.deaths = 2, .nobody_waits = true}, 4);
  ObjectId id;
  uint64_t attached = 0;
  model.keep(attached);
  model.add(
      "ann", [&](Group& group) { object_detach(group, id, group.self); },
      [&](Group& group) { id = make_object(group); });
  model.add("bob", [&](Group& group) {
    if (!object_attach(group, id, group.self)) return;
    attached = 1;
    model.require(object_live(group, id), "attached to what is not live");
    model.require(has_its_mark(group, id), "memory of an attached object is gone");
  });
  model.at_each_end([&](Group& observer) -> std::string {
    if (attached == 0 || model.is_dead(1)) return nothing_left(observer);
    if (!object_live(observer, id)) return "an attached object ended";
    return has_its_mark(observer, id) ? "" : "memory of an attached object is gone";
  });
  expect_holds(model.interleaver());
}

TEST(ObjectModelTest, TwoThatAttachWhileTheLastDetachesAgreeWithTheObject) {
  GroupModel model("detach, attach and detach twice", {.deaths = 1, .nobody_waits = true}, 4);
  ObjectId id;
  model.add(
      "ann", [&](Group& group) { object_detach(group, id, group.self); },
      [&](Group& group) { id = make_object(group); });
  for (const char* name : {"bob", "cid"}) {
    model.add(name, [&](Group& group) {
      if (!object_attach(group, id, group.self)) return;
      model.require(has_its_mark(group, id), "memory of an attached object is gone");
      object_detach(group, id, group.self);
    });
  }
  model.at_each_end([&](Group& observer) { return nothing_left(observer); });
  expect_holds(model.interleaver());
}

TEST(ObjectModelTest, DestroyEndsItAndTheLastToLetGoFreesIt) {
  GroupModel model("destroy, attach", {.deaths = 2, .nobody_waits = true}, 4);
  ObjectId id;
  model.add(
      "ann",
      [&](Group& group) {
        object_destroy(group, id);
        model.require(!object_live(group, id), "destroyed and live");
        object_detach(group, id, group.self);
      },
      [&](Group& group) { id = make_object(group); });
  model.add("bob", [&](Group& group) {
    if (!object_attach(group, id, group.self)) return;
    model.require(has_its_mark(group, id), "memory of an attached object is gone");
    object_detach(group, id, group.self);
  });
  model.at_each_end([&](Group& observer) { return nothing_left(observer); });
  expect_holds(model.interleaver());
}

TEST(ObjectModelTest, ADestroyIsNotLostOnOneWhoDetaches) {
  GroupModel model("detach, attach and destroy", {.deaths = 1, .nobody_waits = true}, 4);
  ObjectId id;
  model.add(
      "ann", [&](Group& group) { object_detach(group, id, group.self); },
      [&](Group& group) { id = make_object(group); });
  model.add("bob", [&](Group& group) {
    if (!object_attach(group, id, group.self)) return;
    object_destroy(group, id);
    model.require(!object_live(group, id), "destroyed and live");
    model.require(has_its_mark(group, id), "memory of an attached object is gone");
    object_detach(group, id, group.self);
  });
  model.at_each_end([&](Group& observer) { return nothing_left(observer); });
  expect_holds(model.interleaver());
}

TEST(ObjectModelTest, WhatSomebodyHoldsIsNeverStaleToTheNext) {
  GroupModel model("detach, attach, attach", {.deaths = 1, .nobody_waits = true}, 4);
  ObjectId id;
  LoneWord held{};
  model.add(
      "ann", [&](Group& group) { object_detach(group, id, group.self); },
      [&](Group& group) { id = make_object(group); });
  model.add("bob", [&](Group& group) {
    if (object_attach(group, id, group.self)) held.store(1);
  });
  model.add("cid", [&](Group& group) {
    if (held.load() == 0) return;
    const bool attached = static_cast<bool>(object_attach(group, id, group.self));
    model.require(attached || model.is_dead(1), "stale while somebody holds it");
  });
  expect_holds(model.interleaver());
}

TEST(ObjectModelTest, AnObjectWhoseLastHolderDiesIsEndedByTheSweep) {
  GroupModel model("detach, sweep, attach", {.deaths = 1, .nobody_waits = true}, 4);
  ObjectId id;
  model.add(
      "ann", [&](Group& group) { object_detach(group, id, group.self); },
      [&](Group& group) { id = make_object(group); });
  model.add("bob", [](Group& group) { sweep_all(group); });
  model.add("cid", [&](Group& group) {
    if (!object_attach(group, id, group.self)) return;
    model.require(has_its_mark(group, id), "memory of an attached object is gone");
    object_detach(group, id, group.self);
  });
  model.at_each_end([&](Group& observer) { return nothing_left(observer); });
  expect_holds(model.interleaver());
}

TEST(ObjectModelTest, ALateAttachNeverReachesTheNextObjectInItsPlace) {
  GroupModel model("detach, make, attach", {.deaths = 1, .nobody_waits = true}, 4);
  ObjectId id;
  ObjectId next;
  model.keep(next);
  model.add(
      "ann",
      [&](Group& group) {
        object_detach(group, id, group.self);
        group.hints.descriptor.store(id.index);
        next = make_object(group);
        model.require(next.index != 0, "no object");
        model.require(has_its_mark(group, next), "memory of a new object is gone");
      },
      [&](Group& group) { id = make_object(group); });
  model.add("bob", [&](Group& group) {
    if (!object_attach(group, id, group.self)) return;
    object_detach(group, id, group.self);
  });
  model.at_each_end([&](Group& observer) -> std::string {
    if (model.is_dead(0)) return nothing_left(observer);
    if (!object_live(observer, next)) return "the next object ended";
    if (!has_its_mark(observer, next)) return "memory of the next object is gone";
    return descriptors_in_use(observer) == 1 ? "" : "the first object is there still";
  });
  expect_holds(model.interleaver());
}

TEST(ObjectModelTest, AnObjectThatIsBeingMadeByTheDeadIsUndone) {
  GroupModel model("make, sweep", {.deaths = 1, .nobody_waits = true}, 4);
  ObjectId id;
  model.keep(id);
  model.add("ann", [&](Group& group) {
    id = make_object(group);
    model.require(id.index != 0, "no object");
  });
  model.add("bob", [](Group& group) { sweep_all(group); });
  model.at_each_end([&](Group& observer) -> std::string {
    if (model.is_dead(0)) return nothing_left(observer);
    return object_live(observer, id) && has_its_mark(observer, id) ? "" : "the object is gone";
  });
  expect_holds(model.interleaver());
}

// All holder words of the descriptor are taken: the next to attach links another one.
TEST(ObjectModelTest, AChainOfHoldersGrowsOnceAndGoesWithItsObject) {
  GroupModel model("attach, attach, chained", {.deaths = 1, .nobody_waits = true}, 4);
  ObjectId id;
  const auto fill = [&](Group& group) {
    id = make_object(group);
    for (uint32_t i = 1; i < kHoldersPerDescriptor; ++i) {
      if (!object_attach(group, id, group.self)) std::abort();
    }
  };
  fill(model.observer());
  for (const char* name : {"ann", "bob"}) {
    model.add(name, [&](Group& group) {
      model.require(static_cast<bool>(object_attach(group, id, group.self)), "cannot attach");
      object_detach(group, id, group.self);
    });
  }
  model.at_each_end([&](Group& observer) -> std::string {
    if (!object_live(observer, id)) return "a held object ended";
    for (uint32_t i = 0; i < kHoldersPerDescriptor; ++i) {
      object_detach(observer, id, observer.self);
    }
    return nothing_left(observer);
  });
  expect_holds(model.interleaver());
}

TEST(ObjectModelTest, AChainThatGrowsWhileItsObjectIsDestroyedLeavesNothing) {
  GroupModel model("attach chained, destroy", {.deaths = 1, .nobody_waits = true}, 4);
  ObjectId id;
  model.add(
      "ann",
      [&](Group& group) {
        object_destroy(group, id);
        for (uint32_t i = 0; i < kHoldersPerDescriptor; ++i) {
          object_detach(group, id, group.self);
        }
      },
      [&](Group& group) {
        id = make_object(group);
        for (uint32_t i = 1; i < kHoldersPerDescriptor; ++i) {
          if (!object_attach(group, id, group.self)) std::abort();
        }
      });
  model.add("bob", [&](Group& group) {
    if (object_attach(group, id, group.self)) object_detach(group, id, group.self);
  });
  model.at_each_end([&](Group& observer) { return nothing_left(observer); });
  expect_holds(model.interleaver());
}

}  // namespace
}  // namespace mpc::model
