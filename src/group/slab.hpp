// SPDX-License-Identifier: Apache-2.0
// Slabs: regions cut into blocks of one size.
#ifndef MPC_GROUP_SLAB_HPP
#define MPC_GROUP_SLAB_HPP

#include "group/group.hpp"

namespace mpc {

struct SpaceCensus;

// The size class of a region that is a slab.
inline uint32_t slab_class(const Region& region) {
  return static_cast<uint32_t>(region.info.load() >> 56);
}

Result<uint64_t> slab_allocate(Group& group, uint32_t size_class);

// Frees one block whose word has this value; false if it has changed.
bool slab_free(Group& group, uint32_t region, Word<uint64_t>& word, SpaceWord value);

// Frees every block of a region that is in this state and names `who`.
void slab_free_all(Group& group, uint32_t region, SpaceState state, uint32_t who);

// Gives the region back if nothing is in it.
void slab_retire_if_empty(Group& group, uint32_t region);

// A region that a dead participant was giving back is a slab again.
void slab_reopen(Group& group, uint32_t region, SpaceWord retiring);

// Gives back a region in which nothing is. REQUIRES: its word is `emptying`, EMPTYING(self).
void slab_empty(Group& group, uint32_t region, SpaceWord emptying);

void slab_count(const Group& group, uint32_t region, Owner owner, SpaceCensus& census);

}  // namespace mpc

#endif
