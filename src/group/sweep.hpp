// SPDX-License-Identifier: Apache-2.0
// What survivors do for a dead participant. The steps and why they may run together, be killed and
// go on late are in layout.hpp.
#ifndef MPC_GROUP_SWEEP_HPP
#define MPC_GROUP_SWEEP_HPP

#include "group/group.hpp"

namespace mpc {

// REQUIRES: the kernel said that `dead` is dead; it is not this participant. Where that was said of
// whoever a state word named, `judged` is the word.
void sweep(Group& group, Owner dead, ParticipantWord judged = {0});

// What a participant that leaves does for itself: the same, but nobody helps while it lives.
void sweep_self(Group& group);

// Asks about every participant and sweeps the dead. Returns how many.
uint32_t sweep_all(Group& group);

// What a record becomes when it is nobody's any more.
ParticipantWord freed_record(ParticipantWord now);

}  // namespace mpc

#endif
