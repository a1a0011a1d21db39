// SPDX-License-Identifier: Apache-2.0
#include "group/slab.hpp"

#include <algorithm>
#include <optional>

#include "group/run.hpp"
#include "group/space.hpp"

namespace mpc {
namespace {

constexpr uint64_t kFull = uint64_t{1} << 55;
constexpr uint64_t kBackedMask = 0xffff;
constexpr uint64_t kPage = 4096;
constexpr uint64_t kBackAtOnce = uint64_t{64} * 1024;

uint32_t blocks_in(uint32_t size_class) {
  return static_cast<uint32_t>(kRegionSize / class_size(size_class));
}

bool is_free(SpaceWord block, uint32_t stamp) {
  return block.state() == SpaceState::kFree || block.stamp() != stamp;
}

// Backs the pages of a block; how far a slab is backed is a hint that only grows.
bool back_block(Group& group, uint32_t region, uint32_t block, uint64_t size) {
  Word<uint64_t>& info = group.region(region).info;
  uint64_t end = (block + 1) * size;
  uint64_t backed = (info.peek() & kBackedMask) * kPage;
  if (end <= backed) return true;
  uint64_t to = std::min(kRegionSize, (end + kBackAtOnce - 1) / kBackAtOnce * kBackAtOnce);
  uint64_t from = std::min(backed, block * size);
  if (!populate(group.heap(region) + from, to - from)) return false;
  for (;;) {
    uint64_t now = info.load();
    if ((now & kBackedMask) * kPage >= to) return true;
    if (info.cas(now, (now & ~kBackedMask) | to / kPage)) return true;
  }
}

enum class Attempt { kTaken, kNoRoom, kNoMemory };

Attempt take_block(Group& group, uint32_t index, uint32_t size_class, uint64_t& out_offset) {
  Region& region = group.region(index);
  SpaceWord word{region.word.load()};
  if (word.state() != SpaceState::kSlab || word.who() != size_class) return Attempt::kNoRoom;
  uint64_t size = class_size(size_class);
  uint32_t blocks = blocks_in(size_class);
  std::atomic<uint32_t>& hint = group.hints.block[size_class];
  uint32_t start = hint.load(std::memory_order_relaxed);
  mark_region(group, index);
  for (uint32_t i = 0; i < blocks; ++i) {
    uint32_t block = (start + i) % blocks;
    Word<uint64_t>& block_word = group.block_word(index, block);
    SpaceWord now{block_word.load()};
    if (!is_free(now, word.stamp())) continue;
    // Left from an earlier cutting, or taken in a later one that this caller has not seen yet.
    if (now.state() != SpaceState::kFree && region.word.load() != word.word) {
      return Attempt::kNoRoom;
    }
    uint64_t mine = word.with(SpaceState::kPrivate, group.self.word).word;
    if (!block_word.cas(now.word, mine)) continue;
    // The other half is in slab_retire_if_empty(): one of the two sees the other.
    bool still = region.word.load() == word.word;
    if (still && back_block(group, index, block, size)) {
      hint.store(block + 1, std::memory_order_relaxed);
      out_offset = group.offset_of(group.heap(index)) + block * size;
      return Attempt::kTaken;
    }
    block_word.cas(mine, word.with(SpaceState::kFree, 0).word);
    return still ? Attempt::kNoMemory : Attempt::kNoRoom;
  }
  region.info.set_bits(kFull);
  return Attempt::kNoRoom;
}

// Cuts a fresh region into blocks of a size. Empty where another took the region first.
Result<std::optional<uint32_t>> make_slab(Group& group, uint32_t size_class) {
  Result<RunPlace> place = run_find(group, 1);
  if (!place) return place.error();
  if (!run_gather(group, *place, 1)) return std::optional<uint32_t>();
  Region& region = group.region(place->first);
  region.info.set(uint64_t{size_class} << 56);
  if (!populate(&group.block_word(place->first, 0), blocks_in(size_class) * sizeof(uint64_t))) {
    run_let_go(group, *place, 1, group.self);
    return failure(MPC_EEXHAUSTED, "the system has no memory left for the group");
  }
  region.word.cas(SpaceWord::make(SpaceState::kBuilding, place->stamp, group.self.word).word,
                  SpaceWord::make(SpaceState::kSlab, place->stamp, size_class).word);
  return std::optional<uint32_t>(place->first);
}

}  // namespace

Result<uint64_t> slab_allocate(Group& group, uint32_t size_class) {
  std::atomic<uint32_t>& hint = group.hints.region[size_class];
  uint64_t offset = 0;
  Attempt attempt = Attempt::kNoRoom;
  auto try_region = [&](uint32_t region) {
    attempt = take_block(group, region, size_class, offset);
    if (attempt == Attempt::kTaken) hint.store(region + 1, std::memory_order_relaxed);
    return attempt == Attempt::kTaken;
  };
  auto try_all = [&](bool full_ones_too) {
    uint32_t high = group.header().regions_high.load();
    for (uint32_t r = 0; r < high; ++r) {
      Region& region = group.region(r);
      SpaceWord word{region.word.load()};
      if (word.state() != SpaceState::kSlab || word.who() != size_class) continue;
      if (!full_ones_too && (region.info.peek() & kFull) != 0) continue;
      if (try_region(r)) return true;
    }
    return false;
  };

  uint32_t last = hint.load(std::memory_order_relaxed);
  if (last != 0 && try_region(last - 1)) return offset;
  bool trimmed = false;
  for (;;) {
    if (try_all(false)) return offset;
    if (attempt == Attempt::kNoMemory) {
      return failure(MPC_EEXHAUSTED, "the system has no memory left for the group");
    }
    Result<std::optional<uint32_t>> fresh = make_slab(group, size_class);
    if (fresh) {
      if (fresh->has_value()) try_region(**fresh);
      if (attempt == Attempt::kTaken) return offset;
      continue;
    }
    // Nothing fresh is to be had: the hints may be wrong, and slabs of other sizes may be empty.
    if (try_all(true)) return offset;
    if (trimmed) return fresh.error();
    trimmed = true;
    space_trim(group);
  }
}

bool slab_free(Group& group, uint32_t index, Word<uint64_t>& word, SpaceWord value) {
  if (!word.cas(value.word, value.with(SpaceState::kFree, 0).word)) return false;
  Region& region = group.region(index);
  if ((region.info.peek() & kFull) != 0) region.info.clear_bits(kFull);
  return true;
}

void slab_free_all(Group& group, uint32_t index, SpaceState state, uint32_t who) {
  Region& region = group.region(index);
  SpaceWord word{region.word.load()};
  if (word.state() != SpaceState::kSlab && word.state() != SpaceState::kRetiring) return;
  uint32_t blocks = blocks_in(slab_class(region));
  for (uint32_t block = 0; block < blocks; ++block) {
    Word<uint64_t>& block_word = group.block_word(index, block);
    SpaceWord now{block_word.load()};
    if (now.state() == state && now.who() == who && now.stamp() == word.stamp()) {
      slab_free(group, index, block_word, now);
    }
  }
}

void slab_retire_if_empty(Group& group, uint32_t index) {
  Region& region = group.region(index);
  SpaceWord word{region.word.load()};
  if (word.state() != SpaceState::kSlab) return;
  uint32_t blocks = blocks_in(word.who());
  auto empty = [&] {
    for (uint32_t block = 0; block < blocks; ++block) {
      if (!is_free(SpaceWord{group.block_word(index, block).load()}, word.stamp())) return false;
    }
    return true;
  };
  if (!empty()) return;
  mark_region(group, index);
  SpaceWord retiring = word.with(SpaceState::kRetiring, group.self.word);
  if (!region.word.cas(word.word, retiring.word)) return;
  if (!empty()) {
    region.word.cas(retiring.word, word.word);
    return;
  }
  SpaceWord emptying = word.with(SpaceState::kEmptying, group.self.word);
  if (region.word.cas(retiring.word, emptying.word)) slab_empty(group, index, emptying);
}

void slab_empty(Group& group, uint32_t index, SpaceWord emptying) {
  give_back(group.heap(index), kRegionSize);
  give_back(&group.block_word(index, 0), kBlocksPerRegion * sizeof(uint64_t));
  group.region(index).word.cas(emptying.word, 0);
}

void slab_reopen(Group& group, uint32_t index, SpaceWord retiring) {
  Region& region = group.region(index);
  region.word.cas(retiring.word, retiring.with(SpaceState::kSlab, slab_class(region)).word);
}

void slab_count(const Group& group, uint32_t index, Owner owner, SpaceCensus& census) {
  Region& region = group.region(index);
  SpaceWord word{region.word.load()};
  uint32_t size_class = slab_class(region);
  uint64_t size = class_size(size_class);
  for (uint32_t block = 0; block < blocks_in(size_class); ++block) {
    SpaceWord now{group.block_word(index, block).load()};
    if (is_free(now, word.stamp())) continue;
    ++census.blocks;
    census.bytes += size;
    if (now.state() == SpaceState::kPrivate && now.who() == owner.word) census.own_bytes += size;
  }
}

}  // namespace mpc
