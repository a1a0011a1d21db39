// SPDX-License-Identifier: Apache-2.0
// The layout of group memory: every word that participants share, the life of what they share, and
// what is done for the dead. The interleaver (tests/model) runs these protocols with death and
// stall at every access; the kill harness (tests/kill) does it to the built library.
//
// WHERE THINGS ARE. Offsets from the start of the mapping; nothing in here is a pointer.
//
//   Header           what the group is; counters that are hints
//   Participant[N]   one record a process
//   Descriptor[D]    one a shared object; never anything else, so that a late write to one hits
//                    a word with another generation and fails
//   Region[R]        two words for each 1 MiB of the heap
//   block words      kBlocksPerRegion words a region, for regions that are cut into blocks
//   heap             R regions of 1 MiB
//
// OWNER WORD (32 bits): flags 2 | generation 18 | participant index 12. Never 0. It names one
// participant for ever: an index is used again only with another generation, at the earliest when a
// cursor has gone round all records in use (kRecordsInUse at least), and never once its generations
// are used up.
//
// PARTICIPANT STATE (64 bits): generation 18 @40 | state 4 @32 | by 32 @0
//   FREE      nobody's. "by" is 0.
//   JOINING   a process that has no owner word yet is filling it in; "by" is its pid.
//   RESERVED  for a child; "by" is the starter's owner word. The starter fills it in and attaches
//             the child's refs on its behalf.
//   LIVE      the process's own; "by" is its pid, so that one word says whose it is.
//   DYING     the process is dead; anybody may sweep.
//   DONE      swept; the exit record is kept for the starter ("by"), who frees it.
//   RETIRED   its generations are used up.
//   FREE -> JOINING -> LIVE, FREE -> RESERVED -> LIVE: by the one named. LIVE -> DYING: by anybody
//   who has the kernel's word that the process is dead. JOINING and RESERVED -> DYING likewise when
//   the one named in "by" is dead, and from exactly the word that was judged: the child of a dead
//   starter may go LIVE at any moment. DYING -> DONE, DYING -> FREE with the next generation: by
//   whoever has swept. A process that leaves in good order sweeps itself while LIVE, so that nobody
//   takes over what it is in the middle of, and then goes from LIVE to DONE or FREE. DONE -> FREE:
//   the starter, or who sweeps it.
//
// A fork server says in its record where its own memory has what others need to ask it: one store
// when that is complete. Who reads it copies first and then looks whether the state is still the
// same LIVE word: memory of the living is not given back (process/server_control.hpp).
//
// REGION WORD (64 bits): state 4 @60 | stamp 28 @32 | who 32 @0. A stamp is a number that is given
// to each taking of a region once (group-wide counter).
//   FREE      all of it 0.
//   BUILDING  the first of several being gathered, or a region being cut into blocks; who = owner.
//   PRIVATE   first region of a large block; who = owner.
//   PUBLIC    the same, the group's.
//   OBJECT    the same, part of an object; who = object word.
//   FREEING   being given back by who = owner.
//   TAIL      a further region of a large block; who = index of the first, stamp = the first's.
//   SLAB      cut into blocks of one size; who = size class.
//   RETIRING  a slab that seems empty is looked at once more by who = owner; goes back to SLAB if
//             something is in it. Nothing of it is given back yet.
//   EMPTYING  it is empty, nobody can take from it any more, and its memory and block words are
//             being given back by who = owner.
// INFO WORD of a region: for a large block its length in regions, written while BUILDING; for a
// slab class 8 @56 | full 1 @55 (hint) | pages known to be backed 16 @0 (hint).
//
// BLOCK WORD (64 bits): state 4 @60 | stamp 28 @32 | who 32 @0, states FREE PRIVATE PUBLIC OBJECT
// as above. A word whose stamp is not the region's is free: it speaks of an earlier cutting. Who
// meets one looks at the region word once more before taking it: had the region been cut anew in
// between, the word would speak of the later cutting, and be another's.
//   FREE -> PRIVATE: one CAS, then the region word is looked at again; if it is not the slab that
//   it was, the block is let go. PRIVATE -> PUBLIC, PRIVATE -> OBJECT, any -> FREE: one CAS. So is
//   PRIVATE(self) -> PRIVATE(child), after the mark in the child's record: how a block goes to a
//   child that is RESERVED, and is swept with it.
//
// DESCRIPTOR STATE (64 bits): generation 28 @36 | state 4 @32 | by 32 @0
//   FREE      nobody's.
//   MAKING    by = the owner that is making it.
//   LIVE      can be attached.
//   ENDED     destroyed: cannot be attached; stays while anybody holds it.
//   CLOSING   "by" (owner | flags) is ending it. Until the flag COMMITTED is set it may go back to
//             LIVE or, with the flag ENDED, to ENDED; from then on its memory is being freed.
//   HOLDERS   not an object: more holder words for the object named in "body". It is linked into
//             "more" of the last descriptor of that object while MAKING; whether it was tells the
//             sweep of its dead maker what to do with it.
// LINK (64 bits): generation 28 @36 of the descriptor that it is in | generation 16 @20 and index
// 20
//   @0 of the HOLDERS descriptor that it leads to. One that leads to another generation than the
//   descriptor has is the end of the chain, as index 0 is. A descriptor is sealed before it is
//   freed: its link is made one of the next generation.
// HOLDER WORD (64 bits): generation 28 @36 | owner 32 @0. One whose generation is not the
// descriptor's is free. OBJECT WORD (32 bits): generation 12 @20 | descriptor index 20.
//
// LIFE OF AN OBJECT
//   made      descriptor FREE -> MAKING(me); memory is allocated (PRIVATE me), then made the
//             object's (OBJECT); a holder word names me; MAKING -> LIVE.
//   attached  a free holder word -> me (one CAS); then the state is looked at: LIVE with the
//             generation of the ref means attached; CLOSING that is not COMMITTED is set back to
//             LIVE, for now there is a holder; anything else means stale, and the holder word is
//             let go.
//   in flight a holder word that names the RESERVED record of a child which has not begun.
//   detached  the holder word -> free. Whoever lets one go and sees no holder left: LIVE or ENDED
//   ->
//             CLOSING(me); looks again; a holder that came in between means back. Else COMMITTED is
//             set, all memory that is marked with the object word is freed, the further holder
//             descriptors are sealed and freed from the last to the first, and CLOSING -> FREE with
//             the next generation. Owner words name processes: the threads of one process take
//             turns at closing.
//   destroyed LIVE -> ENDED, or the flag ENDED in a CLOSING that is not COMMITTED.
//   stale     every ref and handle with the old generation.
//
// INTENTS. What is one word needs none: its one CAS names the owner. Taking a large block is many
// words, and its TAIL words name no process: the thread notes (BUILD, first region, length, stamp)
// in an intent slot of its participant's record first, and clears it after. A slot's tag carries
// the participant's generation, so that a sweeper that was stopped for long cannot mistake a later
// participant's intent for the one that it was to undo.
//
// THE SWEEP of a participant that is dead, by anybody, by many at once, stopped and going on at any
// time, and repeated from the start whenever one is unsure:
//   1. LIVE -> DYING.
//   2. Each intent with this generation: gathered regions are let go, each by a CAS from exactly
//      TAIL(stamp, first), then the first from exactly BUILDING(stamp, dead).
//   3. Each region that the dead may have touched (marks in its record, made before the touch):
//      words that name the dead: PRIVATE blocks are freed; large blocks are first taken over by the
//      sweeper (-> FREEING(sweeper)), since giving memory back is not a CAS; RETIRING goes back to
//      SLAB; EMPTYING is taken over likewise and finished.
//   4. Each descriptor that it may have touched: MAKING(dead) is ended; CLOSING(dead) is gone on
//      with by the sweeper; holder words that name it are let go; objects without holders are
//      closed, whoever let them go: it may have died before it came to the closing.
//   5. Records RESERVED by the dead, and DONE for it, are swept as well.
//   6. The count of deaths goes up and everybody who sleeps on it is woken.
//   7. DYING -> DONE or FREE with the next generation.
// Every step is a CAS from a word with a generation or an owner in it, so a late one fails. A step
// that is not (giving memory back) is done only by who owns the region, by name, at that time.
#ifndef MPC_GROUP_LAYOUT_HPP
#define MPC_GROUP_LAYOUT_HPP

#include <cstddef>
#include <cstdint>

#include "group/word.hpp"

namespace mpc {

inline constexpr uint64_t kGroupMagic = 0x636d70756f726731;  // "1group" + "pmc"
inline constexpr uint32_t kLayoutVersion = 1;

inline constexpr uint32_t kParticipants = 4096;
inline constexpr uint32_t kRecordsInUse = 64;  // few, so that they stay in the cache
inline constexpr uint32_t kIntentsPerParticipant = 27;
inline constexpr uint64_t kRegionSize = uint64_t{1} << 20;
inline constexpr uint64_t kSmallestBlock = 64;
inline constexpr uint32_t kBlocksPerRegion = kRegionSize / kSmallestBlock;
inline constexpr uint32_t kHoldersPerDescriptor = 10;

// --- words ---------------------------------------------------------------------------------------

// Names one participant for ever.
struct Owner {
  uint32_t word = 0;
  static constexpr uint32_t kMaxGeneration = (1u << 18) - 1;
  static Owner make(uint32_t index, uint32_t generation) {
    return Owner{(generation << 12) | index};
  }
  uint32_t index() const { return word & 0xfff; }
  uint32_t generation() const { return (word >> 12) & kMaxGeneration; }
  explicit operator bool() const { return word != 0; }
  bool operator==(const Owner&) const = default;
};

enum class ParticipantState : uint32_t {
  kFree,
  kJoining,
  kReserved,
  kLive,
  kDying,
  kDone,
  kRetired
};

struct ParticipantWord {
  uint64_t word;
  static ParticipantWord make(uint32_t generation, ParticipantState state, uint32_t by) {
    return {(uint64_t{generation} << 40) | (uint64_t{static_cast<uint32_t>(state)} << 32) | by};
  }
  uint32_t generation() const { return static_cast<uint32_t>(word >> 40) & Owner::kMaxGeneration; }
  ParticipantState state() const { return static_cast<ParticipantState>((word >> 32) & 15); }
  uint32_t by() const { return static_cast<uint32_t>(word); }
};

enum class SpaceState : uint32_t {
  kFree,
  kBuilding,
  kPrivate,
  kPublic,
  kObject,
  kFreeing,
  kTail,
  kSlab,
  kRetiring,
  kEmptying
};

inline constexpr uint32_t kStampMask = (1u << 28) - 1;

// A region word or a block word.
struct SpaceWord {
  uint64_t word;
  static SpaceWord make(SpaceState state, uint32_t stamp, uint32_t who) {
    return {(uint64_t{static_cast<uint32_t>(state)} << 60) | (uint64_t{stamp & kStampMask} << 32) |
            who};
  }
  SpaceState state() const { return static_cast<SpaceState>(word >> 60); }
  uint32_t stamp() const { return static_cast<uint32_t>(word >> 32) & kStampMask; }
  uint32_t who() const { return static_cast<uint32_t>(word); }
  SpaceWord with(SpaceState state, uint32_t who) const { return make(state, stamp(), who); }
};

enum class DescriptorState : uint32_t { kFree, kMaking, kLive, kEnded, kClosing, kHolders };

inline constexpr uint32_t kObjectGenerationMask = (1u << 28) - 1;

struct DescriptorWord {
  uint64_t word;
  static DescriptorWord make(uint32_t generation, DescriptorState state, uint32_t by) {
    return {(uint64_t{generation & kObjectGenerationMask} << 36) |
            (uint64_t{static_cast<uint32_t>(state)} << 32) | by};
  }
  uint32_t generation() const { return static_cast<uint32_t>(word >> 36); }
  DescriptorState state() const { return static_cast<DescriptorState>((word >> 32) & 15); }
  uint32_t by() const { return static_cast<uint32_t>(word); }
};

struct HolderWord {
  uint64_t word;
  static HolderWord make(uint32_t generation, Owner owner) {
    return {(uint64_t{generation & kObjectGenerationMask} << 36) | owner.word};
  }
  uint32_t generation() const { return static_cast<uint32_t>(word >> 36); }
  Owner owner() const { return Owner{static_cast<uint32_t>(word)}; }
};

// Marks memory as an object's.
inline uint32_t object_word(uint32_t descriptor, uint32_t generation) {
  return ((generation & 0xfff) << 20) | descriptor;
}

// --- records -------------------------------------------------------------------------------------

enum class Intent : uint32_t { kNone, kBuild };

struct IntentSlot {
  Word<uint64_t> tag;  // generation 32 @32 | Intent 32 @0; 0: none
  Word<uint64_t> first;
  Word<uint64_t> length;
  Word<uint64_t> stamp;
  uint64_t unused[4];
};
static_assert(sizeof(IntentSlot) == 64);

struct Participant {
  Word<uint64_t> state;
  Word<uint64_t> identity;     // os/identity.hpp; 0: unknown
  Word<uint32_t> starter;      // owner word of who started it, 0: nobody
  Word<uint32_t> starts;       // how many records it has reserved for children
  Word<uint64_t> exit_record;  // generation 32 @32 | valid 1 @31 | exit code; by the process itself
  Word<uint64_t> descriptor_marks;  // bit (index / 1024) % 64: may hold or make one of these
  // Signals for which its starter has a handler (os/signals.hpp), and whether that is known: what
  // its starter found out while the child began, so that the child need not.
  Word<uint64_t> signals;
  Word<uint32_t> signals_known;
  Word<uint32_t> server;  // a fork server's: offset / 64 of its ServerControl; 0: it is none
  Word<uint64_t> end;     // how it ended, by the fork server that reaped it: participant.hpp
  char name[64];
  Word<uint64_t> region_marks[16];  // bit (region % 1024): may own something there
  // By a fork server about its child: process/served_record.hpp.
  Word<uint64_t> answer;
  Word<uint64_t> figures[7];
  IntentSlot intents[kIntentsPerParticipant];
};
static_assert(sizeof(Participant) == 2048 && offsetof(Participant, intents) == 320);

struct Descriptor {
  Word<uint64_t> state;
  Word<uint64_t> body;  // offset of its main block; HOLDERS: the object's {generation, index}
  Word<uint64_t> more;  // a link
  Word<uint64_t> size;  // bytes that were asked for
  Word<uint64_t> region_marks;  // bit (region % 64): has memory there
  Word<uint32_t> kind;          // an mpc_kind, or kHoldersKind
  uint32_t unused;
  Word<uint64_t> holders[kHoldersPerDescriptor];
};
static_assert(sizeof(Descriptor) == 128);

// The kind of a descriptor that only has holder words for another.
inline constexpr uint32_t kHoldersKind = 0xffff;

struct Region {
  Word<uint64_t> word;
  Word<uint64_t> info;
};

struct Header {
  uint64_t magic;
  uint32_t layout_version;
  uint32_t participants;
  uint64_t size;
  uint64_t base;  // where its maker mapped it
  uint64_t id;    // random; what refs carry
  uint64_t participants_offset;
  uint64_t descriptors_offset;
  uint64_t regions_offset;
  uint64_t blocks_offset;
  uint64_t heap_offset;
  uint32_t descriptors;
  uint32_t regions;
  uint64_t device;  // of the memory file, for the question whether a process still maps it
  uint64_t inode;
  Word<uint64_t> limit;  // bytes of heap that may be in use

  // Hints and counters, each on a line of its own: they are written at every start.
  alignas(64) Word<uint32_t> join_cursor;
  alignas(64) Word<uint32_t> deaths;  // a futex: sleepers are woken at each sweep
  alignas(64) Word<uint32_t> stamps;
  alignas(64) Word<uint32_t> regions_high;      // no region from here on has been used
  Word<uint32_t> participants_high;             // no record from here on has been used
  alignas(64) Word<uint32_t> descriptors_high;  // no descriptor from here on has been used
  Word<uint32_t> descriptor_cursor;
  alignas(64) Word<uint64_t> starts;
};

inline constexpr uint64_t kHeaderSize = 4096;
static_assert(sizeof(Header) <= kHeaderSize);

// Where everything is for a mapping of a given size.
struct Plan {
  uint64_t size;
  uint64_t participants_offset;
  uint64_t descriptors_offset;
  uint64_t regions_offset;
  uint64_t blocks_offset;
  uint64_t heap_offset;
  uint32_t descriptors;
  uint32_t regions;
};

// REQUIRES: size >= kLeastGroup.
Plan plan_for(uint64_t size);

inline constexpr uint64_t kLeastGroup = uint64_t{32} << 20;
inline constexpr uint64_t kDefaultGroup = uint64_t{256} << 30;

// --- size classes --------------------------------------------------------------------------------

// Blocks come in 64, 128, 192, 256, then four sizes to each doubling, up to half a region.
inline constexpr uint64_t kLargestSmall = kRegionSize / 2;
inline constexpr uint32_t kClasses = 48;
uint32_t class_of(uint64_t size);
uint64_t class_size(uint32_t size_class);

}  // namespace mpc

#endif
