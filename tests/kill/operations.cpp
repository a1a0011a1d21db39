// SPDX-License-Identifier: Apache-2.0
#include "call_campaign.hpp"
#include "operation.hpp"

namespace kill_tests {

std::vector<Operation> all_operations() {
  std::vector<Operation> all;
  for (auto* table :
       {group_operations, object_operations, process_operations, pool_operations, call_campaigns}) {
    for (Operation& operation : table()) all.push_back(std::move(operation));
  }
  return all;
}

}  // namespace kill_tests
