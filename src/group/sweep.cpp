// SPDX-License-Identifier: Apache-2.0
#include "group/sweep.hpp"

#include <utility>

#include "group/object.hpp"
#include "group/participant.hpp"
#include "group/space.hpp"
#include "os/futex.hpp"
#include "os/spare_descriptor.hpp"

namespace mpc {
namespace {

// The state of the dead's record when it is DYING, or of generation 0 if it is not its any more.
// `judged` is the word for which it was found dead, or 0 where the process is known to be gone.
ParticipantWord begin_dying(Participant& record, Owner dead, ParticipantWord judged) {
  for (;;) {
    ParticipantWord now{record.state.load()};
    if (now.generation() != dead.generation()) return {0};
    uint32_t heir = 0;  // who wants to read the exit record
    switch (now.state()) {
      case ParticipantState::kLive:
        heir = record.starter.load();
        break;
      case ParticipantState::kJoining:
      case ParticipantState::kReserved:
        break;
      case ParticipantState::kDying:
        return now;
      default:
        return {0};
    }
    // The child of a dead starter may have taken its record over since it was judged.
    if (judged.word != 0 && now.word != judged.word) return {0};
    ParticipantWord dying = ParticipantWord::make(now.generation(), ParticipantState::kDying, heir);
    if (record.state.cas(now.word, dying.word)) return dying;
  }
}

// What the dead had reserved for children, and records kept for it to read.
void sweep_children(Group& group, Owner dead) {
  if (group.participant(dead.index()).starts.load() == 0) return;
  uint32_t high = group.header().participants_high.load();
  for (uint32_t index = 0; index < high; ++index) {
    Participant& record = group.participant(index);
    ParticipantWord now{record.state.load()};
    if (now.by() != dead.word) continue;
    if (now.state() == ParticipantState::kReserved) {
      sweep(group, Owner::make(index, now.generation()), now);
    } else if (now.state() == ParticipantState::kDone) {
      record.state.cas(now.word, freed_record(now).word);
    }
  }
}

void clear_up(Group& group, Owner dead) {
  space_sweep(group, dead);
  object_sweep(group, dead);
  sweep_children(group, dead);
}

// The last step: the record is kept for an heir who lives, or is nobody's. True for the one of many
// sweepers who did it.
bool end_record(Group& group, Owner dead, ParticipantWord from, Owner heir) {
  Participant& record = group.participant(dead.index());
  bool wanted = participant_present(group, heir);
  ParticipantWord after =
      wanted ? ParticipantWord::make(dead.generation(), ParticipantState::kDone, heir.word)
             : freed_record(from);
  if (!record.state.cas(from.word, after.word)) return false;
  // The heir may have died since; its own sweep looks for such records after it is DYING.
  if (wanted && !participant_present(group, heir)) {
    record.state.cas(after.word, freed_record(after).word);
  }
  return true;
}

void tell_death(Group& group) {
  group.header().deaths.add(1);
  futex_wake(group.header().deaths.address(), INT32_MAX);
}

}  // namespace

ParticipantWord freed_record(ParticipantWord now) {
  bool used_up = now.generation() >= Owner::kMaxGeneration;
  return used_up ? ParticipantWord::make(now.generation(), ParticipantState::kRetired, 0)
                 : ParticipantWord::make(now.generation() + 1, ParticipantState::kFree, 0);
}

void sweep(Group& group, Owner dead, ParticipantWord judged) {
  Participant& record = group.participant(dead.index());
  ParticipantWord dying = begin_dying(record, dead, judged);
  if (dying.generation() == 0) return;
#if MPC_PLANT_FAULT == 4
  static bool swept_before = false;
  if (std::exchange(swept_before, true)) return;
#endif
  clear_up(group, dead);
  if (end_record(group, dead, dying, Owner{dying.by()})) tell_death(group);
}

void sweep_self(Group& group) {
  clear_up(group, group.self);
  Participant& record = group.own_record();
  ParticipantWord live{record.state.load()};
  end_record(group, group.self, live, Owner{record.starter.load()});
}

uint32_t sweep_all(Group& group) {
  uint32_t swept = 0;
  uint32_t high = group.header().participants_high.load();
  for (uint32_t index = 0; index < high; ++index) {
    if (index == group.self.index() && group.self) continue;
    Participant& record = group.participant(index);
    ParticipantWord now{record.state.load()};
    if (now.state() == ParticipantState::kDone && !participant_present(group, Owner{now.by()})) {
      // Its sweeper died before it saw that the heir had, too.
      record.state.cas(now.word, freed_record(now).word);
      continue;
    }
    if (!participant_dead(group, index, now)) continue;
    sweep(group, Owner::make(index, now.generation()), now);
    ++swept;
  }
  spare_restore();
  return swept;
}

}  // namespace mpc
