// SPDX-License-Identifier: Apache-2.0
// The interleaver itself, over code small enough to be judged by eye: it visits what there is, and
// finds each kind of fault that it is there to find.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "explored.hpp"

namespace mpc::model {
namespace {

std::string said(bool wrong, const char* what) { return wrong ? what : ""; }

TEST(InterleaverTest, VisitsEveryOrderOfTwoIndependentSteps) {
  LoneWord words[2] = {};
  Interleaver interleaver("two steps", {.deaths = 0});
  for (LoneWord& word : words) interleaver.participant("writer", [&word] { word.store(1); });
  const Report report = interleaver.explore();
  EXPECT_TRUE(report.holds) << report.fault;
  EXPECT_EQ(report.states, 4u) << "none has stored, either has, or both have";
  EXPECT_EQ(report.steps, 4u);
  EXPECT_EQ(report.ends, 1u);
}

TEST(InterleaverTest, FindsALostUpdate) {
  LoneWord count{};
  Interleaver interleaver("lost update", {.deaths = 0});
  interleaver.call(count, "count");
  for (const char* name : {"ann", "bob"}) {
    interleaver.participant(name, [&count] { count.store(count.load() + 1); });
  }
  interleaver.at_each_end([&] { return said(count.load() != 2, "an update was lost"); });
  expect_found(&interleaver, "an update was lost");
}

TEST(InterleaverTest, HoldsForAnAtomicUpdate) {
  LoneWord count{};
  Interleaver interleaver("atomic update", {.deaths = 0, .nobody_waits = true});
  for (const char* name : {"ann", "bob", "cid"}) {
    interleaver.participant(name, [&count] {
      for (uint32_t seen = count.load(); !count.cas(seen, seen + 1);) seen = count.load();
    });
  }
  interleaver.at_each_end([&] { return said(count.load() != 3, "an update was lost"); });
  expect_holds(&interleaver);
}

TEST(InterleaverTest, LeavesMemoryAsItWasBefore) {
  LoneWord count{};
  Interleaver interleaver("put back", {.deaths = 1});
  interleaver.participant("ann", [&count] { count.add(1); });
  interleaver.at_each_end([&] {
    count.add(7);
    return std::string();
  });
  EXPECT_TRUE(interleaver.explore().holds);
  EXPECT_EQ(count.load(), 0u);
}

TEST(InterleaverTest, KillsBeforeEveryAccess) {
  LoneWord count{};
  Interleaver interleaver("deaths", {.deaths = 1});
  interleaver.participant("ann", [&count] {
    for (int i = 0; i < 3; ++i) count.add(1);
  });
  bool ended_with[4] = {};
  interleaver.at_each_end([&] {
    ended_with[count.load()] = true;
    return std::string();
  });
  EXPECT_TRUE(interleaver.explore().holds);
  for (const bool ended : ended_with) EXPECT_TRUE(ended);
}

TEST(InterleaverTest, NeverKillsMoreThanItMay) {
  LoneWord count{};
  for (int deaths = 0; deaths <= 3; ++deaths) {
    Interleaver interleaver("deaths", {.deaths = deaths});
    for (int i = 0; i < 3; ++i) interleaver.participant("ann", [&count] { count.add(1); });
    int most = 0;
    interleaver.at_each_end([&] {
      int dead = 0;
      for (int i = 0; i < 3; ++i) dead += interleaver.is_dead(i) ? 1 : 0;
      most = std::max(most, dead);
      return std::string();
    });
    EXPECT_TRUE(interleaver.explore().holds);
    EXPECT_EQ(most, deaths);
  }
}

TEST(InterleaverTest, PutsBackWhatAParticipantAllocated) {
  LoneWord turn{};
  Interleaver interleaver("heap", {.deaths = 1});
  for (uint32_t me = 1; me <= 2; ++me) {
    interleaver.participant("ann", [&interleaver, &turn, me] {
      std::vector<uint32_t> seen;
      std::string text(100, static_cast<char>('a' + me));
      for (int i = 0; i < 3; ++i) {
        turn.store(me);
        seen.push_back(me);
        seen.push_back(turn.load());
      }
      bool own = text == std::string(100, static_cast<char>('a' + me));
      for (size_t i = 0; i < seen.size(); i += 2) own &= seen[i] == me;
      interleaver.require(own && seen.size() == 6, "memory of another run");
    });
  }
  expect_holds(&interleaver);
}

TEST(InterleaverTest, GivesEachParticipantItsOwnCopy) {
  LoneWord word{};
  uint32_t mine = 5;
  Interleaver interleaver("own", {.deaths = 0});
  interleaver.own(&mine, sizeof(mine));
  for (uint32_t me = 1; me <= 2; ++me) {
    interleaver.participant("ann", [&, me] {
      interleaver.require(mine == 5, "not the first value");
      mine = me;
      word.add(1);
      interleaver.require(mine == me, "another's value");
      mine += 10;
      word.add(1);
      interleaver.require(mine == me + 10, "another's value");
    });
  }
  expect_holds(&interleaver);
  EXPECT_EQ(mine, 5u);
}

TEST(InterleaverTest, KeepsPlainOutcomesWithTheState) {
  LoneWord word{};
  uint64_t order = 0;
  Interleaver interleaver("keep", {.deaths = 0});
  interleaver.keep(order);
  for (uint32_t me = 1; me <= 2; ++me) {
    interleaver.participant("ann", [&, me] {
      word.add(1);
      order = order * 10 + me;
    });
  }
  std::vector<uint64_t> orders;
  interleaver.at_each_end([&] {
    orders.push_back(order);
    return std::string();
  });
  EXPECT_TRUE(interleaver.explore().holds);
  EXPECT_EQ(orders.size(), 2u);
}

TEST(InterleaverTest, EndsTheSearchInALoopThatWaits) {
  LoneWord flag{};
  Interleaver interleaver("wait", {.deaths = 0});
  interleaver.participant("waiter", [&flag] {
    while (flag.load() == 0) continue;
  });
  interleaver.participant("setter", [&flag] { flag.store(1); });
  const Report report = interleaver.explore();
  EXPECT_TRUE(report.holds) << report.fault;
  EXPECT_LE(report.states, 8u);
}

TEST(InterleaverTest, FindsAHangOnTheDead) {
  LoneWord flag{};
  Interleaver interleaver("hang", {.deaths = 1});
  interleaver.call(flag, "flag");
  interleaver.participant("waiter", [&flag] {
    while (flag.load() == 0) continue;
  });
  interleaver.participant("setter", [&flag] { flag.store(1); });
  expect_found(&interleaver, "hang");
}

TEST(InterleaverTest, HoldsForAWaiterThatLooksWhetherItsHolderDied) {
  LoneWord flag{};
  Interleaver interleaver("wait", {.deaths = 1});
  interleaver.participant("waiter", [&] {
    while (flag.load() == 0 && !interleaver.is_dead(1)) continue;
  });
  interleaver.participant("setter", [&flag] { flag.store(1); });
  expect_holds(&interleaver);
}

TEST(InterleaverTest, FindsAWaitForTheStalledWhereNobodyMayWait) {
  LoneWord flag{};
  Interleaver interleaver("stall", {.deaths = 0, .nobody_waits = true});
  interleaver.participant("waiter", [&flag] {
    while (flag.load() == 0) continue;
  });
  interleaver.participant("setter", [&flag] { flag.store(1); });
  expect_found(&interleaver, "waits for a stalled participant");
}

TEST(InterleaverTest, PrintsAShortestSchedule) {
  LoneWord count{};
  Interleaver interleaver("schedule", {.deaths = 1});
  interleaver.call(count, "count");
  interleaver.participant("ann", [&count] {
    for (int i = 0; i < 4; ++i) count.add(1);
  });
  interleaver.at_each_end([&] { return said(interleaver.is_dead(0), "ann died"); });
  const Report report = interleaver.explore();
  EXPECT_EQ(report.fault, "ann died");
  EXPECT_EQ(report.schedule, "  ann dies\n");
}

TEST(InterleaverTest, FailsWhereThereAreTooManyStates) {
  LoneWord words[3] = {};
  Interleaver interleaver("too many", {.deaths = 0, .states = 10});
  for (int i = 0; i < 3; ++i) {
    interleaver.participant("ann", [&words, i] {
      for (int k = 0; k < 5; ++k) words[i].add(1);
    });
  }
  EXPECT_FALSE(interleaver.explore().holds);
}

}  // namespace
}  // namespace mpc::model
