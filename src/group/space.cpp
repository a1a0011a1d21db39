// SPDX-License-Identifier: Apache-2.0
#include "group/space.hpp"

#include "base/child_page.hpp"
#include "base/deadline.hpp"
#include "group/run.hpp"
#include "group/slab.hpp"

namespace mpc {
namespace {

constexpr int64_t kTrimInterval = 1000000000;  // idle memory is worth keeping for about a second

// What is at an offset, if it is the start of a block: its word and the words that hold it.
struct Found {
  Word<uint64_t>* word = nullptr;
  SpaceWord value{0};
  uint32_t region = 0;
  bool run = false;
  uint64_t room = 0;
};

MPC_CHILD_CODE Found find(const Group& group, uint64_t offset) {
  Found found;
  uint64_t heap = group.heap_offset();
  if (offset < heap || offset >= heap + uint64_t{group.header().regions} * kRegionSize) return {};
  found.region = static_cast<uint32_t>((offset - heap) / kRegionSize);
  uint64_t inside = (offset - heap) % kRegionSize;
  Region& region = group.region(found.region);
  SpaceWord word{region.word.load()};
  switch (word.state()) {
    case SpaceState::kPrivate:
    case SpaceState::kPublic:
    case SpaceState::kObject:
      if (inside != 0) return {};
      found.word = &region.word;
      found.value = word;
      found.run = true;
      found.room = region.info.load() * kRegionSize;
      return found;
    case SpaceState::kSlab:
    case SpaceState::kRetiring: {
      uint64_t size = class_size(slab_class(region));
      auto block = static_cast<uint32_t>(inside / size);
      if (inside % size != 0 || block >= kRegionSize / size) return {};
      found.word = &group.block_word(found.region, block);
      found.value = SpaceWord{found.word->load()};
      if (found.value.stamp() != word.stamp() || found.value.state() == SpaceState::kFree)
        return {};
      found.room = size;
      return found;
    }
    default:
      return {};
  }
}

bool free_found(Group& group, const Found& found) {
  if (found.run) return run_free(group, found.region, found.value);
  return slab_free(group, found.region, *found.word, found.value);
}

}  // namespace

Result<uint64_t> space_allocate(Group& group, uint64_t size) {
  if (size == 0) return failure(MPC_EINVAL, "a block of 0 bytes; ask for at least 1");
  if (size <= kLargestSmall) return slab_allocate(group, class_of(size));
  return run_allocate(group, size);
}

Result<void> space_publish(Group& group, uint64_t offset) {
  Found found = find(group, offset);
  if (found.word == nullptr || found.value.state() != SpaceState::kPrivate ||
      found.value.who() != group.self.word ||
      !found.word->cas(found.value.word, found.value.with(SpaceState::kPublic, 0).word)) {
    return failure(MPC_EINVAL, "not the start of a block that is private to this process");
  }
  return {};
}

void space_hand_over(Group& group, uint64_t offset, Owner to) {
  Found found = find(group, offset);
  if (found.word == nullptr) return;
  mark_region(group, to, found.region);
  found.word->cas(found.value.with(SpaceState::kPrivate, group.self.word).word,
                  found.value.with(SpaceState::kPrivate, to.word).word);
}

void space_adopt(Group& group, uint64_t offset, uint32_t object) {
  Found found = find(group, offset);
  if (found.word == nullptr) return;
  found.word->cas(found.value.with(SpaceState::kPrivate, group.self.word).word,
                  found.value.with(SpaceState::kObject, object).word);
}

Result<void> space_free(Group& group, uint64_t offset) {
  Found found = find(group, offset);
  bool may =
      found.word != nullptr &&
      (found.value.state() == SpaceState::kPublic ||
       (found.value.state() == SpaceState::kPrivate && found.value.who() == group.self.word));
  if (!may || !free_found(group, found)) {
    return failure(MPC_EINVAL,
                   "not the start of an allocated block, or private to another process");
  }
  space_trim_now_and_then(group);
  return {};
}

void space_free_of_object(Group& group, uint64_t offset, uint32_t object) {
  Found found = find(group, offset);
  if (found.word == nullptr || found.value.state() != SpaceState::kObject ||
      found.value.who() != object) {
    return;
  }
  free_found(group, found);
}

MPC_CHILD_CODE uint64_t space_room(const Group& group, uint64_t offset) {
  return find(group, offset).room;
}

void space_free_object(Group& group, uint32_t object, uint64_t marks) {
  uint32_t high = group.header().regions_high.load();
  for (uint32_t r = 0; r < high; ++r) {
    if ((marks >> (r % 64) & 1) == 0) continue;
    SpaceWord word{group.region(r).word.load()};
    if (word.state() == SpaceState::kObject && word.who() == object) {
      run_free(group, r, word);
    } else {
      slab_free_all(group, r, SpaceState::kObject, object);
    }
  }
}

void space_sweep(Group& group, Owner dead) {
  Participant& record = group.participant(dead.index());
  // Nothing is noted, taken or allocated without a mark: most children leave here.
  auto touched = [&](uint32_t region) {
    return (record.region_marks[region % 1024 / 64].load() >> (region % 64) & 1) != 0;
  };
  bool any = false;
  for (Word<uint64_t>& marks : record.region_marks) any = any || marks.load() != 0;
  if (!any) return;
  run_undo_intents(group, dead);
  uint32_t high = group.header().regions_high.load();
  for (uint32_t r = 0; r < high; ++r) {
    if (!touched(r)) continue;
    SpaceWord word{group.region(r).word.load()};
    bool names_dead = word.who() == dead.word;
    switch (word.state()) {
      case SpaceState::kBuilding:
        if (names_dead) group.region(r).word.cas(word.word, 0);
        break;
      case SpaceState::kPrivate:
      case SpaceState::kFreeing:
        if (names_dead) run_free(group, r, word);
        break;
      case SpaceState::kRetiring:
        if (names_dead) slab_reopen(group, r, word);
        slab_free_all(group, r, SpaceState::kPrivate, dead.word);
        break;
      case SpaceState::kEmptying:
        if (names_dead) {
          mark_region(group, r);
          SpaceWord mine = word.with(SpaceState::kEmptying, group.self.word);
          if (group.region(r).word.cas(word.word, mine.word)) slab_empty(group, r, mine);
        }
        break;
      case SpaceState::kSlab:
        slab_free_all(group, r, SpaceState::kPrivate, dead.word);
        break;
      default:
        break;
    }
  }
}

void space_trim(Group& group) {
  uint32_t high = group.header().regions_high.load();
  for (uint32_t r = 0; r < high; ++r) slab_retire_if_empty(group, r);
}

void space_trim_now_and_then(Group& group) {
  int64_t now = monotonic_ns();
  int64_t last = group.hints.trimmed_at.load(std::memory_order_relaxed);
  if (now - last < kTrimInterval) return;
  if (group.hints.trimmed_at.compare_exchange_strong(last, now) && last != 0) space_trim(group);
}

SpaceCensus space_census(const Group& group, Owner owner) {
  SpaceCensus census;
  uint32_t high = group.header().regions_high.load();
  for (uint32_t r = 0; r < high; ++r) {
    Region& region = group.region(r);
    SpaceWord word{region.word.load()};
    if (word.state() == SpaceState::kFree) continue;
    ++census.regions;
    bool own = word.who() == owner.word;
    switch (word.state()) {
      case SpaceState::kPrivate:
      case SpaceState::kPublic:
      case SpaceState::kObject: {
        uint64_t bytes = region.info.load() * kRegionSize;
        ++census.blocks;
        census.bytes += bytes;
        if (own && word.state() == SpaceState::kPrivate) census.own_bytes += bytes;
        break;
      }
      case SpaceState::kSlab:
      case SpaceState::kRetiring:
        slab_count(group, r, owner, census);
        break;
      default:
        break;
    }
  }
  return census;
}

}  // namespace mpc
