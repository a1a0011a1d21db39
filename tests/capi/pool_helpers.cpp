// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include "pool_test.hpp"

namespace mpc::test {
namespace {

struct Meeting {
  Count* arrived;
  uint32_t expected;
};

int meet(const void* item, void* result) {
  auto meeting = *static_cast<const Meeting*>(item);
  *static_cast<int32_t*>(result) = getpid();
  meeting.arrived->add();
  return meeting.arrived->reaches(meeting.expected) ? 0 : 1;
}

}  // namespace

std::set<int32_t> PoolTest::worker_pids(mpc_pool* pool, uint32_t workers) {
  GroupPage<Count> arrived;
  std::vector<Meeting> items(workers, Meeting{arrived.get(), workers});
  std::vector<int32_t> pids;
  EXPECT_EQ(map(pool, meet, items, pids, chunks_of(1)), MPC_OK) << last_message();
  std::set<int32_t> known(pids.begin(), pids.end());
  known.erase(0);  // of an item that failed: no test may signal that
  return known;
}

int square(const void* item, void* result) {
  int64_t number = *static_cast<const int64_t*>(item);
  *static_cast<int64_t*>(result) = number * number;
  return 0;
}

void expect_works(mpc_pool* pool) {
  std::vector<int64_t> items = numbers_to(1000);
  std::vector<int64_t> results(items.size(), -1);
  ASSERT_EQ(mpc_pool_map(pool, square, items.data(), items.size(), sizeof items[0], results.data(),
                         sizeof results[0], nullptr),
            MPC_OK)
      << last_message();
  for (size_t i = 0; i < items.size(); ++i) ASSERT_EQ(results[i], items[i] * items[i]);
}

}  // namespace mpc::test
