// SPDX-License-Identifier: Apache-2.0
#include "group/participant.hpp"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "base/child_page.hpp"
#include "group/sweep.hpp"
#include "os/futex.hpp"
#include "os/raw_syscall.hpp"

namespace mpc {
namespace {

constexpr uint32_t kProbes = 32;

// Takes this record if it is free, and empties it.
bool claim_record(Group& group, uint32_t index, ParticipantState as, uint32_t by,
                  Owner& out_owner) {
  Participant& record = group.participant(index);
  ParticipantWord now{record.state.load()};
  if (now.state() != ParticipantState::kFree) return false;
  uint32_t generation = std::max(1u, now.generation());
  if (!record.state.cas(now.word, ParticipantWord::make(generation, as, by).word)) return false;
  record.identity.set(0);
  record.starter.set(0);
  record.exit_record.set(0);
  record.descriptor_marks.set(0);
  record.starts.set(0);
  record.signals_known.set(0);
  record.server.set(0);
  record.end.set(0);
  record.answer.set(uint64_t{generation} << 32);
  for (Word<uint64_t>& marks : record.region_marks) marks.set(0);
  out_owner = Owner::make(index, generation);
  return true;
}

// A cursor walks round the records that have been in use. Where a few probes find none free, a
// fresh one is taken; where there is no fresh one, all are looked at.
bool claim(Group& group, ParticipantState as, uint32_t by, Owner& out_owner) {
  Header& header = group.header();
  uint32_t cursor = header.join_cursor.add(1);
  uint32_t high = header.participants_high.load();
  if (high >= kRecordsInUse) {
    for (uint32_t k = 0; k < kProbes; ++k) {
      if (!claim_record(group, (cursor + k) % high, as, by, out_owner)) continue;
      // Behind a row of records that are taken the next one must not find this one first.
      if (k > 0) header.join_cursor.add(k);
      return true;
    }
  }
  for (; high < kParticipants; high = header.participants_high.load()) {
    if (!populate(&group.participant(high), sizeof(Participant))) return false;
    raise(header.participants_high, high + 1);
    if (claim_record(group, high, as, by, out_owner)) return true;
  }
  for (uint32_t k = 0; k < kParticipants; ++k) {
    if (claim_record(group, (cursor + k) % kParticipants, as, by, out_owner)) return true;
  }
  return false;
}

Error table_full() {
  return failure(MPC_EPARTICIPANTS,
                 "the group has %u processes, the most that it can have; join or destroy some",
                 kParticipants);
}

Result<Owner> claim_or_sweep(Group& group, ParticipantState as, uint32_t by) {
  Owner owner;
  if (claim(group, as, by, owner)) return owner;
  // Records of the dead may be all that is in the way.
  if (sweep_all(group) > 0 && claim(group, as, by, owner)) return owner;
  return table_full();
}

void set_name(Participant& record, std::string_view name) {
  size_t size = std::min(name.size(), sizeof record.name - 1);
  memcpy(record.name, name.data(), size);
  record.name[size] = '\0';
}

}  // namespace

Result<void> participant_join(Group& group, std::string_view name) {
  auto pid = static_cast<uint32_t>(getpid());
  // Nobody sweeps without an owner word of its own, so where the table is full of the dead this has
  // to be left to the others.
  Owner owner;
  if (!claim(group, ParticipantState::kJoining, pid, owner)) return table_full();
  Participant& record = group.participant(owner.index());
  set_name(record, name);
  record.identity.set(process_identity(static_cast<int32_t>(pid)));
  uint64_t joining =
      ParticipantWord::make(owner.generation(), ParticipantState::kJoining, pid).word;
  uint64_t live = ParticipantWord::make(owner.generation(), ParticipantState::kLive, pid).word;
  if (!record.state.cas(joining, live)) {
    return failure(MPC_EINTERNAL, "the record of a joining process was taken away");
  }
  group.header().starts.add(1);
  group.self = owner;
  return {};
}

Result<Owner> participant_reserve(Group& group, std::string_view name) {
  // Before the first: tells the sweep of this process that there are records to look for.
  group.own_record().starts.add(1);
  group.header().starts.add(1);
  Result<Owner> owner = claim_or_sweep(group, ParticipantState::kReserved, group.self.word);
  if (!owner) return owner;
  Participant& record = group.participant(owner->index());
  record.starter.set(group.self.word);
  set_name(record, name);
  return owner;
}

void participant_identify(Group& group, Owner child, uint64_t identity) {
  group.participant(child.index()).identity.store(identity);
}

void participant_note_signals(Group& group, Owner child, uint64_t handled) {
  Participant& record = group.participant(child.index());
  record.signals.store(handled);
  record.signals_known.store(1);
}

MPC_CHILD_CODE bool participant_activate(Group& group, Owner reserved, Owner starter) {
  Participant& record = group.participant(reserved.index());
  // Past the C library, whose code is not in a fresh child yet.
  auto pid = static_cast<uint32_t>(raw_syscall(SYS_getpid));
  uint64_t before =
      ParticipantWord::make(reserved.generation(), ParticipantState::kReserved, starter.word).word;
  uint64_t live = ParticipantWord::make(reserved.generation(), ParticipantState::kLive, pid).word;
  if (!record.state.cas(before, live)) return false;
  group.self = reserved;
  return true;
}

bool participant_waits(const Group& group, Owner reserved) {
  ParticipantWord now{group.participant(reserved.index()).state.load()};
  return now.generation() == reserved.generation() && now.state() == ParticipantState::kReserved;
}

void participant_release(Group& group, Owner child) {
  Participant& record = group.participant(child.index());
  ParticipantWord now{record.state.load()};
  if (now.generation() != child.generation() || now.state() != ParticipantState::kDone) return;
  record.state.cas(now.word, freed_record(now).word);
}

void participant_leave(Group& group) {
  sweep_self(group);
  group.self = Owner{};
}

bool participant_present(const Group& group, Owner owner) {
  ParticipantWord now{group.participant(owner.index()).state.load()};
  return owner && now.generation() == owner.generation() &&
         (now.state() == ParticipantState::kLive || now.state() == ParticipantState::kReserved ||
          now.state() == ParticipantState::kJoining);
}

bool participant_dead(const Group& group, uint32_t index, ParticipantWord now) {
  switch (now.state()) {
    case ParticipantState::kJoining:
      return group.life(group, static_cast<int32_t>(now.by()), 0) == Life::kDead;
    case ParticipantState::kReserved: {
      // Alive as long as who reserved it: the child takes it over by itself.
      Owner starter{now.by()};
      ParticipantWord its{group.participant(starter.index()).state.load()};
      return !participant_present(group, starter) || participant_dead(group, starter.index(), its);
    }
    case ParticipantState::kLive: {
      Participant& record = group.participant(index);
      uint64_t identity = record.identity.load();
      bool dead = group.life(group, static_cast<int32_t>(now.by()), identity) == Life::kDead;
      return dead && record.state.load() == now.word;
    }
    case ParticipantState::kDying:
      return true;
    default:
      return false;
  }
}

// A server that was stopped may be late: the record may be another child's by now.
void end_record_write(Group& group, Owner child, int wait_status) {
  Word<uint64_t>& end = group.participant(child.index()).end;
  uint64_t known = uint64_t{1} << 31;
  uint64_t value =
      (uint64_t{child.generation()} << 32) | known | static_cast<uint32_t>(wait_status & 0xffff);
  for (;;) {
    uint64_t now = end.load();
    if (now >> 32 > child.generation()) return;
    if (end.cas(now, value)) break;
  }
  futex_wake(end.address(), INT32_MAX);
}

int end_record_read(const Group& group, Owner child) {
  uint64_t end = group.participant(child.index()).end.load();
  bool known = (end >> 32) == child.generation() && (end >> 31 & 1) != 0;
  return known ? static_cast<int>(end & 0xffff) : -1;
}

void end_record_wait(const Group& group, Owner child, int64_t timeout_ns) {
  // The lower half comes first in memory on both processors; 0 there until it is known.
  if (end_record_read(group, child) < 0) {
    futex_wait(group.participant(child.index()).end.address(), 0, timeout_ns);
  }
}

MPC_CHILD_CODE void exit_record_write(Group& group, int exit_code) {
  uint64_t valid = uint64_t{1} << 31;
  group.own_record().exit_record.store((uint64_t{group.self.generation()} << 32) | valid |
                                       static_cast<uint32_t>(exit_code & 0xff));
}

int exit_record_read(const Group& group, Owner child) {
  uint64_t record = group.participant(child.index()).exit_record.load();
  bool valid = (record >> 32) == child.generation() && (record >> 31 & 1) != 0;
  return valid ? static_cast<int>(record & 0xff) : -1;
}

}  // namespace mpc
