// SPDX-License-Identifier: Apache-2.0
#include "base/handles.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <thread>
#include <vector>

namespace mpc {
namespace {

std::atomic<int> deleted{0};

struct Thing {
  static constexpr HandleKind kHandleKind = HandleKind::kBlock;
  int number = 0;
  ~Thing() { deleted.fetch_add(1); }
};

struct Other {
  static constexpr HandleKind kHandleKind = HandleKind::kPool;
};

TEST(HandlesTest, AnOpenHandleLeadsToItsObject) {
  void* handle = open_handle(new Thing{7});
  ASSERT_NE(handle, nullptr);
  {
    Pinned<Thing> pinned(handle);
    ASSERT_TRUE(pinned);
    EXPECT_EQ(pinned->number, 7);
  }
  EXPECT_TRUE(handle_close(HandleKind::kBlock, handle));
}

TEST(HandlesTest, AClosedHandleLeadsNowhereAndCannotBeClosedAgain) {
  int before = deleted.load();
  void* handle = open_handle(new Thing);
  ASSERT_TRUE(handle_close(HandleKind::kBlock, handle));
  EXPECT_EQ(deleted.load(), before + 1);
  EXPECT_FALSE(Pinned<Thing>(handle));
  EXPECT_FALSE(handle_close(HandleKind::kBlock, handle));
  EXPECT_EQ(deleted.load(), before + 1);
}

TEST(HandlesTest, AHandleOfAnotherKindLeadsNowhere) {
  void* handle = open_handle(new Thing);
  EXPECT_FALSE(Pinned<Other>(handle));
  EXPECT_FALSE(handle_close(HandleKind::kPool, handle));
  auto bits = reinterpret_cast<uintptr_t>(handle) ^ ((uintptr_t{1} ^ uintptr_t{3}) << 24);
  EXPECT_FALSE(Pinned<Other>(reinterpret_cast<void*>(bits))) << "with the kind changed";
  EXPECT_TRUE(handle_close(HandleKind::kBlock, handle));
}

TEST(HandlesTest, WhatIsPinnedIsDeletedByTheLastPin) {
  int before = deleted.load();
  void* handle = open_handle(new Thing{5});
  {
    Pinned<Thing> first(handle);
    {
      Pinned<Thing> second(handle);
      ASSERT_TRUE(second);
      EXPECT_TRUE(handle_close(HandleKind::kBlock, handle));
      EXPECT_FALSE(Pinned<Thing>(handle));
    }
    EXPECT_EQ(deleted.load(), before);
    EXPECT_EQ(first->number, 5);
  }
  EXPECT_EQ(deleted.load(), before + 1);
}

TEST(HandlesTest, APlaceThatIsUsedAgainHasAnotherTag) {
  std::set<void*> seen;
  for (int i = 0; i < 5000; ++i) {
    void* handle = open_handle(new Thing);
    EXPECT_TRUE(seen.insert(handle).second);
    ASSERT_TRUE(handle_close(HandleKind::kBlock, handle));
  }
  for (void* handle : seen) EXPECT_FALSE(Pinned<Thing>(handle));
}

TEST(HandlesTest, TheOpenOnesAreCounted) {
  size_t before = handle_count();
  std::vector<void*> handles;
  for (int i = 0; i < 3000; ++i) handles.push_back(open_handle(new Thing{i}));
  EXPECT_EQ(handle_count(), before + 3000);
  for (int i = 0; i < 3000; ++i)
    ASSERT_EQ(Pinned<Thing>(handles[static_cast<size_t>(i)])->number, i);
  for (void* handle : handles) ASSERT_TRUE(handle_close(HandleKind::kBlock, handle));
  EXPECT_EQ(handle_count(), before);
}

TEST(HandlesTest, InventedNumbersLeadNowhere) {
  for (uint64_t bits = 1; bits != 0; bits <<= 1) {
    EXPECT_FALSE(Pinned<Thing>(reinterpret_cast<void*>(bits)));
    EXPECT_FALSE(Pinned<Thing>(reinterpret_cast<void*>(~bits)));
    EXPECT_FALSE(Pinned<Thing>(reinterpret_cast<void*>(bits | (1 << 24))));
  }
  EXPECT_FALSE(Pinned<Thing>(nullptr));
}

TEST(HandlesTest, ThreadsThatCloseOneHandleCloseItOnce) {
  for (int round = 0; round < 200; ++round) {
    int before = deleted.load();
    void* handle = open_handle(new Thing);
    std::atomic<int> closed{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; ++t) {
      threads.emplace_back([&] {
        Pinned<Thing> pinned(handle);
        closed += handle_close(HandleKind::kBlock, handle) ? 1 : 0;
      });
    }
    for (std::thread& thread : threads) thread.join();
    ASSERT_EQ(closed, 1);
    ASSERT_EQ(deleted.load(), before + 1);
  }
}

}  // namespace
}  // namespace mpc
