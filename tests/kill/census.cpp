// SPDX-License-Identifier: Apache-2.0
#include "census.hpp"

#include "fault.hpp"

namespace kill_tests {

using mpc::DescriptorState;
using mpc::DescriptorWord;
using mpc::HolderWord;
using mpc::Owner;
using mpc::ParticipantState;
using mpc::ParticipantWord;
using mpc::SpaceState;
using mpc::SpaceWord;

const mpc::Participant& Census::participant(uint32_t index) const {
  return reinterpret_cast<const mpc::Participant*>(base_ + header().participants_offset)[index];
}

const mpc::Region& Census::region(uint32_t index) const {
  return reinterpret_cast<const mpc::Region*>(base_ + header().regions_offset)[index];
}

const mpc::Descriptor& Census::descriptor(uint32_t index) const {
  return reinterpret_cast<const mpc::Descriptor*>(base_ + header().descriptors_offset)[index];
}

std::optional<Owner> Census::find(pid_t pid) const {
  uint32_t high = header().participants_high.load();
  for (uint32_t index = 0; index < high; ++index) {
    const mpc::Participant& record = participant(index);
    ParticipantWord word{record.state.load()};
    bool named =
        word.state() == ParticipantState::kJoining
            ? word.by() == static_cast<uint32_t>(pid)
            : word.state() == ParticipantState::kLive && word.by() == static_cast<uint32_t>(pid);
    if (named) return Owner::make(index, word.generation());
  }
  return std::nullopt;
}

bool Census::is_live(Owner owner) const {
  ParticipantWord word{participant(owner.index()).state.load()};
  return word.generation() == owner.generation() && word.state() == ParticipantState::kLive;
}

uint32_t Census::holds(Owner owner) const {
  uint32_t count = 0;
  uint32_t high = header().descriptors_high.load();
  for (uint32_t index = 0; index < high; ++index) {
    const mpc::Descriptor& now = descriptor(index);
    DescriptorWord state{now.state.load()};
    if (state.state() == DescriptorState::kFree) continue;
    for (const auto& word : now.holders) {
      HolderWord holder{word.load()};
      if (holder.generation() == state.generation() && holder.owner() == owner) ++count;
    }
  }
  return count;
}

bool Census::half_gathered() const {
  uint32_t high = header().regions_high.load();
  for (uint32_t index = 0; index + 1 < high; ++index) {
    SpaceWord first{region(index).word.load()};
    SpaceWord next{region(index + 1).word.load()};
    if (first.state() == SpaceState::kBuilding && next.state() == SpaceState::kTail) return true;
  }
  return false;
}

void Census::expect_present(uint32_t word, const char* where, uint32_t index) const {
  Owner owner{word};
  ParticipantWord record{participant(owner.index()).state.load()};
  bool there =
      record.generation() == owner.generation() &&
      (record.state() == ParticipantState::kLive || record.state() == ParticipantState::kReserved ||
       record.state() == ParticipantState::kJoining);
  if (!there) {
    fault("%s %u names participant %u of generation %u, which is gone", where, index, owner.index(),
          owner.generation());
  }
}

void Census::check_participants() const {
  uint32_t high = header().participants_high.load();
  for (uint32_t index = 0; index < high; ++index) {
    const mpc::Participant& record = participant(index);
    ParticipantWord word{record.state.load()};
    if (word.state() == ParticipantState::kDying) fault("record %u was left DYING", index);
    if (word.state() == ParticipantState::kReserved || word.state() == ParticipantState::kDone) {
      expect_present(word.by(), "record", index);
    }
    for (const mpc::IntentSlot& slot : record.intents) {
      uint64_t tag = slot.tag.load();
      if (static_cast<uint32_t>(tag) == static_cast<uint32_t>(mpc::Intent::kNone)) continue;
      if (word.state() != ParticipantState::kLive || tag >> 32 != word.generation()) {
        fault("record %u has an intent of a participant that is gone", index);
      }
    }
  }
}

void Census::check_blocks(uint32_t index, uint32_t stamp) const {
  const auto* words = reinterpret_cast<const mpc::Word<uint64_t>*>(base_ + header().blocks_offset) +
                      uint64_t{index} * mpc::kBlocksPerRegion;
  auto size_class = SpaceWord{region(index).word.load()}.who();
  // The size of each block: 64, 128, 192, 256, then four steps to each doubling.
  uint64_t base = uint64_t{256} << (size_class < 4 ? 0 : (size_class - 4) / 4);
  uint64_t size =
      size_class < 4 ? 64 * (size_class + 1) : base + base / 4 * ((size_class - 4) % 4 + 1);
  for (uint32_t block = 0; block < mpc::kRegionSize / size; ++block) {
    SpaceWord word{words[block].load()};
    if (word.stamp() != stamp || word.state() != SpaceState::kPrivate) continue;
    expect_present(word.who(), "block of region", index);
  }
}

void Census::check_regions() const {
  uint32_t high = header().regions_high.load();
  for (uint32_t index = 0; index < high; ++index) {
    SpaceWord word{region(index).word.load()};
    switch (word.state()) {
      case SpaceState::kBuilding:
      case SpaceState::kPrivate:
      case SpaceState::kFreeing:
      case SpaceState::kRetiring:
        expect_present(word.who(), "region", index);
        break;
      case SpaceState::kTail: {
        SpaceWord first{region(word.who()).word.load()};
        bool there = word.who() < index && first.stamp() == word.stamp() &&
                     first.state() != SpaceState::kFree && first.state() != SpaceState::kTail &&
                     first.state() != SpaceState::kSlab;
        if (!there) fault("region %u is part of a large block that does not exist", index);
        break;
      }
      case SpaceState::kSlab:
        check_blocks(index, word.stamp());
        break;
      default:
        break;
    }
  }
}

void Census::check_descriptors() const {
  uint32_t high = header().descriptors_high.load();
  for (uint32_t index = 0; index < high; ++index) {
    const mpc::Descriptor& now = descriptor(index);
    DescriptorWord state{now.state.load()};
    if (state.state() == DescriptorState::kFree) continue;
    if (state.state() == DescriptorState::kMaking || state.state() == DescriptorState::kClosing) {
      expect_present(state.by(), "descriptor", index);
    }
    for (const auto& word : now.holders) {
      HolderWord holder{word.load()};
      if (holder.generation() == state.generation() && holder.owner()) {
        expect_present(holder.owner().word, "holder word of descriptor", index);
      }
    }
  }
}

void Census::expect_no_dead_named() const {
  check_participants();
  check_regions();
  check_descriptors();
}

}  // namespace kill_tests
