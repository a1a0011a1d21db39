// SPDX-License-Identifier: Apache-2.0
// Maps whose items and results have any size.
#include <string.h>

#include <algorithm>

#include "pool_test.hpp"

namespace mpc::test {
namespace {

class BytesMapTest : public PoolTest {
 protected:
  mpc_status map_bytes(mpc_pool* pool, mpc_map_bytes_fn function,
                       const std::vector<std::string>& items,
                       mpc_map_options options = MPC_MAP_OPTIONS_INIT) {
    std::vector<mpc_bytes> bytes;
    for (const std::string& item : items) {
      bytes.push_back({item.empty() ? nullptr : item.data(), item.size()});
    }
    // What was there before must not be taken for anything.
    std::vector<mpc_buffer> buffers(items.size(), mpc_buffer{reinterpret_cast<void*>(8), 99});
    errors.assign(items.size(), mpc_item_error{});
    options.errors = errors.data();
    mpc_status status =
        mpc_pool_map_bytes(pool, function, bytes.data(), bytes.size(), buffers.data(), &options);
    results.clear();
    for (mpc_buffer& buffer : buffers) {
      EXPECT_EQ(buffer.data == nullptr, buffer.size == 0);
      if (buffer.size == 0) {
        results.emplace_back();
      } else {
        results.emplace_back(static_cast<char*>(buffer.data), buffer.size);
      }
      mpc_buffer_free(&buffer);
      EXPECT_EQ(buffer.size, 0u);
    }
    return status;
  }
  std::vector<std::string> results;
};
MPC_UNDER_EVERY_START_METHOD(BytesMapTest);

int repeat_twice(const void* item, size_t size, mpc_result* result) {
  if (mpc_result_put(result, item, size) != MPC_OK) return 1;
  return mpc_result_put(result, item, size) == MPC_OK ? 0 : 2;
}

TEST_P(BytesMapTest, ResultsAreWhatWasPutInOrder) {
  std::vector<std::string> items;
  for (size_t i = 0; i < 3000; ++i) items.push_back(std::string(i % 97, static_cast<char>(i)));
  ASSERT_EQ(map_bytes(make_pool(3), repeat_twice, items), MPC_OK) << last_message();
  for (size_t i = 0; i < items.size(); ++i) ASSERT_EQ(results[i], items[i] + items[i]) << i;
}

TEST_P(BytesMapTest, EmptyTinyAndHugeItemsMixInOneMap) {
  std::vector<std::string> items;
  for (size_t i = 0; i < 12; ++i) {
    size_t size = i % 3 == 0 ? 0 : i % 3 == 1 ? 1 : (3 << 20) + i;
    items.push_back(std::string(size, static_cast<char>('a' + i)));
  }
  ASSERT_EQ(map_bytes(make_pool(2), repeat_twice, items), MPC_OK) << last_message();
  for (size_t i = 0; i < items.size(); ++i) ASSERT_TRUE(results[i] == items[i] + items[i]) << i;
}

int put_nothing(const void*, size_t, mpc_result*) { return 0; }

TEST_P(BytesMapTest, AResultThatNothingWasPutInIsEmpty) {
  ASSERT_EQ(map_bytes(make_pool(2), put_nothing, {"a", "", "c"}), MPC_OK);
  EXPECT_EQ(results, std::vector<std::string>(3));
}

int expand(const void* item, size_t size, mpc_result* result) {
  size_t wanted;
  if (size != sizeof wanted) return 1;
  memcpy(&wanted, item, size);
  std::string piece(1 << 16, static_cast<char>(wanted % 251));
  for (size_t put = 0; put < wanted; put += piece.size()) {
    if (mpc_result_put(result, piece.data(), std::min(piece.size(), wanted - put)) < 0) return 2;
  }
  return 0;
}

TEST_P(BytesMapTest, ThreeMebibyteResultsOfSmallItemsArrive) {
  std::vector<std::string> items;
  for (size_t i = 0; i < 20; ++i) {
    size_t wanted = i % 2 == 0 ? (3 << 20) + i : i;
    items.emplace_back(reinterpret_cast<const char*>(&wanted), sizeof wanted);
  }
  ASSERT_EQ(map_bytes(make_pool(2), expand, items), MPC_OK) << last_message();
  for (size_t i = 0; i < items.size(); ++i) {
    size_t wanted = i % 2 == 0 ? (3 << 20) + i : i;
    ASSERT_TRUE(results[i] == std::string(wanted, static_cast<char>(wanted % 251))) << i;
  }
}

int fail_after_putting(const void* item, size_t size, mpc_result* result) {
  if (mpc_result_put(result, "half done", 9) != MPC_OK) return 99;
  return size == 1 && *static_cast<const char*>(item) == 'f' ? 42 : 0;
}

TEST_P(BytesMapTest, AFailedItemHasAnEmptyResult) {
  EXPECT_EQ(map_bytes(make_pool(2), fail_after_putting, {"a", "f", "c", "f"}), MPC_ETASK);
  EXPECT_EQ(results, (std::vector<std::string>{"half done", "", "half done", ""}));
  EXPECT_EQ(errors[1].code, 42);
  EXPECT_EQ(errors[3].status, MPC_ETASK);
  EXPECT_EQ(errors[0].status, MPC_OK);
}

int misuse_put(const void* item, size_t size, mpc_result* result) {
  if (mpc_result_put(nullptr, item, size) != MPC_EINVAL) return 1;
  if (mpc_result_put(result, nullptr, 1) != MPC_EINVAL) return 2;
  return mpc_result_put(result, nullptr, 0) == MPC_OK ? 0 : 3;
}

TEST_P(BytesMapTest, PuttingFromNowhereIsRefused) {
  EXPECT_EQ(map_bytes(make_pool(1), misuse_put, {"x"}), MPC_OK) << last_message();
}

TEST_P(BytesMapTest, AnItemWithASizeAndNoDataIsRefused) {
  mpc_bytes item = {nullptr, 5};
  mpc_buffer result = {nullptr, 0};
  EXPECT_EQ(mpc_pool_map_bytes(make_pool(1), put_nothing, &item, 1, &result, nullptr), MPC_EINVAL);
}

TEST_P(BytesMapTest, LargeItemsAndResultsAreGivenBackAfterTheMap) {
  mpc_pool* pool = make_pool(2);
  ASSERT_EQ(map_bytes(pool, repeat_twice, {"warm"}), MPC_OK);
  mpc_group_stats before = swept_stats();
  std::vector<std::string> items(8, std::string(5 << 20, 'x'));
  ASSERT_EQ(map_bytes(pool, repeat_twice, items), MPC_OK) << last_message();
  mpc_group_stats after = swept_stats();
  EXPECT_LE(after.memory_used, before.memory_used + (24 << 20))
      << "what slots keep is bounded, whatever went through them";
  EXPECT_EQ(after.objects, before.objects);
}

}  // namespace
}  // namespace mpc::test
