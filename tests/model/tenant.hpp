// SPDX-License-Identifier: Apache-2.0
// Somebody who has a block and writes his name into it: two who are given the same memory, or
// memory that is given back under its owner, are found by a name that is not there any more.
#ifndef MPC_TESTS_MODEL_TENANT_HPP
#define MPC_TESTS_MODEL_TENANT_HPP

#include <cstdint>
#include <string>

#include "group/space.hpp"
#include "group_model.hpp"

namespace mpc::model {

// Two of these blocks fill a region: the loops over a region's blocks stay short.
inline constexpr uint64_t kHalfRegion = kLargestSmall;

struct Tenant {
  uint64_t offset = 0;  // 0: has none
  uint64_t name = 0;
  uint64_t size = 0;
  uint64_t published = 0;

  bool move_in(Group& group, uint64_t wanted) {
    Result<uint64_t> got = space_allocate(group, wanted);
    if (!got) return false;
    write_name(group, *got, wanted);
    offset = *got;
    return true;
  }

  // In the first and in the last region of the block.
  void write_name(Group& group, uint64_t at, uint64_t wanted) {
    name = group.self.word;
    size = wanted;
    GroupModel::contents(group, at).store(name);
    if (size > kRegionSize) GroupModel::contents(group, last_region(at)).store(name);
  }

  bool undisturbed(Group& group) const {
    if (offset == 0) return true;
    if (GroupModel::contents(group, offset).load() != name) return false;
    return size <= kRegionSize || GroupModel::contents(group, last_region(offset)).load() == name;
  }

 private:
  uint64_t last_region(uint64_t at) const { return at + (size - 1) / kRegionSize * kRegionSize; }
};

}  // namespace mpc::model

#endif
