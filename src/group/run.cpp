// SPDX-License-Identifier: Apache-2.0
#include "group/run.hpp"

#include "group/intent.hpp"
#include "group/space.hpp"

namespace mpc {
namespace {

Error exhausted(const Group& group, uint32_t used, uint32_t wanted) {
  return failure(MPC_EEXHAUSTED,
                 "group memory is used up: %u MiB of %llu MiB are in use and %u MiB more are "
                 "wanted; free some, or raise memory_limit of mpc_group_options",
                 used, static_cast<unsigned long long>(group.header().limit.load() / kRegionSize),
                 wanted);
}

uint32_t tail_word_owner(uint32_t first) { return first; }

}  // namespace

void mark_region(Group& group, uint32_t region) { mark_region(group, group.self, region); }

void mark_region(Group& group, Owner owner, uint32_t region) {
  Word<uint64_t>& marks = group.participant(owner.index()).region_marks[region % 1024 / 64];
  uint64_t bit = uint64_t{1} << (region % 64);
  if ((marks.peek() & bit) == 0) marks.set_bits(bit);
}

uint32_t new_stamp(Group& group) {
  uint32_t stamp = (group.header().stamps.add(1) + 1) & kStampMask;
  return stamp != 0 ? stamp : new_stamp(group);
}

Result<RunPlace> run_find(Group& group, uint32_t count) {
  // How much is in use is derived each time: a counter could not be kept right over deaths. One
  // word for each MiB in use is read, which is little beside the first touch of a MiB.
  Header& header = group.header();
  uint32_t high = header.regions_high.load();
  uint32_t used = 0;
  uint32_t row = 0;
  uint32_t place = header.regions;
  for (uint32_t r = 0; r < high; ++r) {
    if (group.region(r).word.load() != 0) {
      ++used;
      row = 0;
    } else if (++row == count && place == header.regions) {
      place = r + 1 - count;
    }
  }
  if ((uint64_t{used} + count) * kRegionSize > header.limit.load()) {
    return exhausted(group, used, count);
  }
  if (place == header.regions) place = high - row;
  if (uint64_t{place} + count > header.regions) return exhausted(group, used, count);
  if (place + count > high) {
    // The words must be backed before anybody meets them.
    if (!populate(&group.region(place), count * sizeof(Region))) {
      return failure(MPC_EEXHAUSTED, "the system has no memory left for the group");
    }
    raise(header.regions_high, place + count);
  }
  return RunPlace{place, new_stamp(group)};
}

bool run_gather(Group& group, RunPlace place, uint32_t count) {
  mark_region(group, place.first);
  Region& head = group.region(place.first);
  uint64_t building = SpaceWord::make(SpaceState::kBuilding, place.stamp, group.self.word).word;
  if (!head.word.cas(0, building)) return false;
  head.info.set(count);
  uint64_t tail =
      SpaceWord::make(SpaceState::kTail, place.stamp, tail_word_owner(place.first)).word;
  for (uint32_t i = 1; i < count; ++i) {
    if (!group.region(place.first + i).word.cas(0, tail)) {
      run_let_go(group, place, count, group.self);
      return false;
    }
  }
  return true;
}

void run_let_go(Group& group, RunPlace place, uint32_t count, Owner builder) {
  uint64_t tail =
      SpaceWord::make(SpaceState::kTail, place.stamp, tail_word_owner(place.first)).word;
  for (uint32_t i = 1; i < count; ++i) group.region(place.first + i).word.cas(tail, 0);
  group.region(place.first)
      .word.cas(SpaceWord::make(SpaceState::kBuilding, place.stamp, builder.word).word, 0);
}

Result<uint64_t> run_allocate(Group& group, uint64_t size) {
  uint64_t regions = size / kRegionSize + (size % kRegionSize != 0 ? 1 : 0);
  if (regions > group.header().regions) {
    return failure(MPC_EEXHAUSTED,
                   "%llu bytes are more than the group has address space for; raise address_space "
                   "and memory_limit of mpc_group_options",
                   static_cast<unsigned long long>(size));
  }
  auto count = static_cast<uint32_t>(regions);
  bool trimmed = false;
  for (;;) {
    Result<RunPlace> place = run_find(group, count);
    if (!place) {
      if (trimmed) return place.error();
      trimmed = true;
      space_trim(group);
      continue;
    }
    mark_region(group, place->first);  // before the note: the sweep looks for notes where marks are
    IntentNote note(group, Intent::kBuild, place->first, count, place->stamp);
    if (!run_gather(group, *place, count)) continue;
    if (!populate(group.heap(place->first), regions * kRegionSize)) {
      run_let_go(group, *place, count, group.self);
      return failure(MPC_EEXHAUSTED, "the system has no memory left for the group");
    }
    group.region(place->first)
        .word.cas(SpaceWord::make(SpaceState::kBuilding, place->stamp, group.self.word).word,
                  SpaceWord::make(SpaceState::kPrivate, place->stamp, group.self.word).word);
    return group.offset_of(group.heap(place->first));
  }
}

bool run_free(Group& group, uint32_t first, SpaceWord word) {
  mark_region(group, first);
  Region& head = group.region(first);
  SpaceWord mine = word.with(SpaceState::kFreeing, group.self.word);
  if (!head.word.cas(word.word, mine.word)) return false;
  auto count = static_cast<uint32_t>(head.info.load());
  uint64_t tail = word.with(SpaceState::kTail, tail_word_owner(first)).word;
  give_back(group.heap(first), kRegionSize);
  // Where an earlier one died in the middle of this, some tails are free already, and perhaps
  // another's: only those that still name this run are touched.
  for (uint32_t i = 1; i < count; ++i) {
    Region& region = group.region(first + i);
    if (region.word.load() != tail) continue;
    give_back(group.heap(first + i), kRegionSize);
    region.word.cas(tail, 0);
  }
  head.word.cas(mine.word, 0);
  return true;
}

void run_undo_intents(Group& group, Owner dead) {
  Participant& record = group.participant(dead.index());
  for (IntentSlot& slot : record.intents) {
    uint64_t tag = (uint64_t{dead.generation()} << 32) | static_cast<uint32_t>(Intent::kBuild);
    if (slot.tag.load() != tag) continue;
    uint64_t first = slot.first.load();
    uint64_t length = slot.length.load();
    uint64_t stamp = slot.stamp.load();
    if (slot.tag.load() != tag) continue;
    uint64_t regions = group.header().regions;
    if (first >= regions || length > regions - first) continue;
    RunPlace place{static_cast<uint32_t>(first), static_cast<uint32_t>(stamp)};
    SpaceWord head{group.region(place.first).word.load()};
    // Gathered to the end: then it is a block like any other, and all of it stays together.
    bool gathered = head.stamp() == (place.stamp & kStampMask) &&
                    head.state() != SpaceState::kBuilding && head.state() != SpaceState::kTail &&
                    head.state() != SpaceState::kFree;
    if (!gathered) run_let_go(group, place, static_cast<uint32_t>(length), dead);
    slot.tag.cas(tag, 0);
  }
}

}  // namespace mpc
