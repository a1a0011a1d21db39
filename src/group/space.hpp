// SPDX-License-Identifier: Apache-2.0
// The heap of group memory: blocks that know who owns them.
//
// Small blocks are cut from regions of one size each; larger ones are runs of whole regions. The
// protocols, word by word, are in layout.hpp. Places are offsets from the start of group memory.
#ifndef MPC_GROUP_SPACE_HPP
#define MPC_GROUP_SPACE_HPP

#include "group/group.hpp"

namespace mpc {

// A block that is private to this participant, aligned to 64 bytes.
Result<uint64_t> space_allocate(Group& group, uint64_t size);

// Private to this participant -> the group's.
Result<void> space_publish(Group& group, uint64_t offset);

// Private to this participant -> part of an object.
void space_adopt(Group& group, uint64_t offset, uint32_t object);

// Frees a block that is private to this participant, or the group's.
// Makes a block that is private to this process private to another participant, so that it goes
// when that one does: a record that this process has reserved.
void space_hand_over(Group& group, uint64_t offset, Owner to);

Result<void> space_free(Group& group, uint64_t offset);

// Frees one block of an object, if it is that. Only for who is attached to the object.
void space_free_of_object(Group& group, uint64_t offset, uint32_t object);

// Frees all that an object has. `marks`: as Descriptor::region_marks.
void space_free_object(Group& group, uint32_t object, uint64_t marks);

// How many bytes the block at an offset has room for; 0 where there is none.
uint64_t space_room(const Group& group, uint64_t offset);

// Undoes or finishes what a dead participant had begun, and frees what was private to it.
void space_sweep(Group& group, Owner dead);

// Gives regions back in which nothing is left.
void space_trim(Group& group);
// The same if this process has not done it for a second.
void space_trim_now_and_then(Group& group);

struct SpaceCensus {
  uint64_t regions = 0;  // in use
  uint64_t blocks = 0;
  uint64_t bytes = 0;      // in blocks, as they were cut
  uint64_t own_bytes = 0;  // of those, private to `owner`
};
SpaceCensus space_census(const Group& group, Owner owner);

}  // namespace mpc

#endif
