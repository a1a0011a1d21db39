// SPDX-License-Identifier: Apache-2.0
// Coming into a group and leaving it. The states are in layout.hpp.
#ifndef MPC_GROUP_PARTICIPANT_HPP
#define MPC_GROUP_PARTICIPANT_HPP

#include <string_view>

#include "group/group.hpp"

namespace mpc {

// Makes the calling process a participant of its own; sets group.self.
Result<void> participant_join(Group& group, std::string_view name);

// Takes a record for a child that is about to be started; `group.self` is its starter.
Result<Owner> participant_reserve(Group& group, std::string_view name);

// The child takes its record over. False if it was given up in between: then its starter is dead.
bool participant_activate(Group& group, Owner reserved, Owner starter);

// Whether a child has not taken its record over yet.
bool participant_waits(const Group& group, Owner reserved);

// Notes what tells the process of a record from others with its pid. By the child itself or by its
// starter, who keeps the record from being anybody else's.
void participant_identify(Group& group, Owner child, uint64_t identity);

// Notes for which signals the starter has handlers. By the starter, who keeps the record from being
// anybody else's.
void participant_note_signals(Group& group, Owner child, uint64_t handled);

// The starter frees the record of a child that was swept.
void participant_release(Group& group, Owner child);

// Ends this process's part in good order: what it left is swept by itself.
void participant_leave(Group& group);

// Whether this owner is a participant that has not ended, as far as its record says.
bool participant_present(const Group& group, Owner owner);

// Asks the kernel about the process behind a record whose state is, or was, `now`. False for a
// record that is nobody's.
bool participant_dead(const Group& group, uint32_t index, ParticipantWord now);

// The process's own note of how it ends, for a starter who cannot ask the kernel.
void exit_record_write(Group& group, int exit_code);
// -1 where the child left none.
int exit_record_read(const Group& group, Owner child);

// How the kernel said that a child ended, in the form of waitpid(): written by the fork server that
// reaped it, for who started it and cannot. -1: not known. The wait may end for no reason.
void end_record_write(Group& group, Owner child, int wait_status);
int end_record_read(const Group& group, Owner child);
void end_record_wait(const Group& group, Owner child, int64_t timeout_ns);

}  // namespace mpc

#endif
