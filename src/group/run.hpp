// SPDX-License-Identifier: Apache-2.0
// Runs of whole regions: the larger blocks of the heap, and the supply of regions for slabs.
#ifndef MPC_GROUP_RUN_HPP
#define MPC_GROUP_RUN_HPP

#include "group/group.hpp"

namespace mpc {

// Says that this participant may own something in a region; before it does.
void mark_region(Group& group, uint32_t region);
void mark_region(Group& group, Owner owner, uint32_t region);

// A stamp that no other taking of a region has, until the counter has gone round once.
uint32_t new_stamp(Group& group);

// Takes `count` regions in a row: the first is BUILDING(stamp, self), its info word is `count`, the
// others are its TAILs. The caller has noted the intent if there is more than one, which needs the
// place: so the place is looked for first.
struct RunPlace {
  uint32_t first;
  uint32_t stamp;
};
Result<RunPlace> run_find(Group& group, uint32_t count);
bool run_gather(Group& group, RunPlace place, uint32_t count);
void run_let_go(Group& group, RunPlace place, uint32_t count, Owner builder);

Result<uint64_t> run_allocate(Group& group, uint64_t size);

// Frees the run whose first region has this word: takes it over by name, then gives it back. False
// if the word has changed.
bool run_free(Group& group, uint32_t first, SpaceWord word);

// Lets go what a dead participant was gathering when it died.
void run_undo_intents(Group& group, Owner dead);

}  // namespace mpc

#endif
