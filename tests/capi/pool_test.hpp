// SPDX-License-Identifier: Apache-2.0
// What the tests of pools share.
#ifndef MPC_TESTS_CAPI_POOL_TEST_HPP
#define MPC_TESTS_CAPI_POOL_TEST_HPP

#include <numeric>
#include <set>
#include <string>
#include <vector>

#include "support/start_method_test.hpp"

namespace mpc::test {

class PoolTest : public StartMethodTest {
 protected:
  // Maps `items`; results that were not written are `Result{}`.
  template <class Item, class Output>
  mpc_status map(mpc_pool* pool, int (*function)(const void*, void*),
                 const std::vector<Item>& items, std::vector<Output>& results,
                 mpc_map_options options = MPC_MAP_OPTIONS_INIT) {
    results.assign(items.size(), Output{});
    errors.assign(items.size(), mpc_item_error{});
    options.errors = errors.data();
    return mpc_pool_map(pool, function, items.data(), items.size(), sizeof(Item), results.data(),
                        sizeof(Output), &options);
  }

  // Every worker of the pool by its pid: each waits until all are there.
  std::set<int32_t> worker_pids(mpc_pool* pool, uint32_t workers);

  std::vector<mpc_item_error> errors;  // of the last map
};

inline mpc_map_options chunks_of(size_t size) {
  mpc_map_options options = MPC_MAP_OPTIONS_INIT;
  options.chunk_size = size;
  return options;
}

inline std::vector<int64_t> numbers_to(size_t count) {
  std::vector<int64_t> numbers(count);
  std::iota(numbers.begin(), numbers.end(), 0);
  return numbers;
}

// int64_t -> its square.
int square(const void* item, void* result);

// Whether a pool of one worker can still do its work.
void expect_works(mpc_pool* pool);

}  // namespace mpc::test

#endif
