// SPDX-License-Identifier: Apache-2.0
#include "books.hpp"

#include "group/participant.hpp"
#include "group/slab.hpp"

namespace mpc::model {
namespace {

// The owner part of what a CLOSING descriptor names.
constexpr uint32_t kOwnerMask = (1u << 30) - 1;

std::string at(const char* what, uint32_t index) { return what + std::to_string(index); }

bool is_there(const Group& group, uint32_t owner_word) {
  return owner_word != 0 && participant_present(group, Owner{owner_word});
}

template <class Visit>
void each_block(const Group& group, uint32_t region, SpaceWord slab, Visit visit) {
  const uint64_t count = kRegionSize / class_size(slab_class(group.region(region)));
  for (uint32_t block = 0; block < count; ++block) {
    const SpaceWord word{group.block_word(region, block).load()};
    if (word.state() != SpaceState::kFree && word.stamp() == slab.stamp()) visit(word);
  }
}

std::string dead_in_space(const Group& group) {
  std::string wrong;
  const uint32_t high = group.header().regions_high.load();
  for (uint32_t r = 0; r < high; ++r) {
    const SpaceWord word{group.region(r).word.load()};
    switch (word.state()) {
      case SpaceState::kBuilding:
      case SpaceState::kPrivate:
      case SpaceState::kFreeing:
      case SpaceState::kRetiring:
        if (!is_there(group, word.who())) wrong = at("the dead are named by region ", r);
        break;
      default:
        break;
    }
    if (word.state() != SpaceState::kSlab && word.state() != SpaceState::kRetiring) continue;
    each_block(group, r, word, [&](SpaceWord block) {
      if (block.state() == SpaceState::kPrivate && !is_there(group, block.who())) {
        wrong = at("the dead are named by a block of region ", r);
      }
    });
  }
  return wrong;
}

std::string dead_in_objects(const Group& group) {
  const uint32_t high = group.header().descriptors_high.load();
  for (uint32_t d = 1; d < high; ++d) {
    const Descriptor& descriptor = group.descriptor(d);
    const DescriptorWord state{descriptor.state.load()};
    if (state.state() == DescriptorState::kFree) continue;
    const bool named =
        state.state() == DescriptorState::kMaking || state.state() == DescriptorState::kClosing;
    if (named && !is_there(group, state.by() & kOwnerMask)) {
      return at("the dead are named by the state of descriptor ", d);
    }
    for (const Word<uint64_t>& holder : descriptor.holders) {
      const HolderWord word{holder.load()};
      if (word.generation() != state.generation() || !word.owner()) continue;
      if (!participant_present(group, word.owner())) {
        return at("the dead are named by a holder word of descriptor ", d);
      }
    }
  }
  return {};
}

std::string dead_in_records(const Group& group) {
  const uint32_t high = group.header().participants_high.load();
  for (uint32_t p = 0; p < high; ++p) {
    const ParticipantWord word{group.participant(p).state.load()};
    switch (word.state()) {
      case ParticipantState::kDying:
        return at("unswept is record ", p);
      case ParticipantState::kJoining:
        return at("half joined is record ", p);
      case ParticipantState::kReserved:
      case ParticipantState::kDone:
        if (!is_there(group, word.by())) return at("the dead are named by record ", p);
        break;
      default:
        break;
    }
  }
  return {};
}

}  // namespace

std::string look_for_the_dead(const Group& group) {
  std::string wrong = dead_in_records(group);
  if (wrong.empty()) wrong = dead_in_space(group);
  if (wrong.empty()) wrong = dead_in_objects(group);
  return wrong;
}

std::string look_for_the_unfinished(const Group& group) {
  const uint32_t high = group.header().regions_high.load();
  for (uint32_t r = 0; r < high; ++r) {
    const SpaceWord word{group.region(r).word.load()};
    switch (word.state()) {
      case SpaceState::kBuilding:
      case SpaceState::kFreeing:
      case SpaceState::kRetiring:
        return at("half made or half freed is region ", r);
      case SpaceState::kTail: {
        const SpaceWord head{group.region(word.who()).word.load()};
        const uint64_t length = group.region(word.who()).info.load();
        const bool run = head.state() == SpaceState::kPrivate ||
                         head.state() == SpaceState::kPublic || head.state() == SpaceState::kObject;
        if (!run || head.stamp() != word.stamp() || r - word.who() >= length) {
          return at("without its head is region ", r);
        }
        break;
      }
      case SpaceState::kPrivate:
      case SpaceState::kPublic:
      case SpaceState::kObject: {
        const uint64_t length = group.region(r).info.load();
        for (uint32_t i = 1; i < length; ++i) {
          const uint64_t tail = SpaceWord::make(SpaceState::kTail, word.stamp(), r).word;
          if (group.region(r + i).word.load() != tail) return at("without a tail is region ", r);
        }
        break;
      }
      default:
        break;
    }
  }
  const uint32_t descriptors = group.header().descriptors_high.load();
  for (uint32_t d = 1; d < descriptors; ++d) {
    const DescriptorState state = DescriptorWord{group.descriptor(d).state.load()}.state();
    if (state == DescriptorState::kMaking || state == DescriptorState::kClosing) {
      return at("half made or half ended is descriptor ", d);
    }
  }
  return {};
}

uint32_t regions_in_use(const Group& group) {
  uint32_t count = 0;
  const uint32_t high = group.header().regions_high.load();
  for (uint32_t r = 0; r < high; ++r) count += group.region(r).word.load() != 0 ? 1 : 0;
  return count;
}

uint32_t descriptors_in_use(const Group& group) {
  uint32_t count = 0;
  const uint32_t high = group.header().descriptors_high.load();
  for (uint32_t d = 1; d < high; ++d) {
    const DescriptorWord word{group.descriptor(d).state.load()};
    count += word.state() != DescriptorState::kFree ? 1 : 0;
  }
  return count;
}

uint32_t blocks_in_use(const Group& group) {
  uint32_t count = 0;
  const uint32_t high = group.header().regions_high.load();
  for (uint32_t r = 0; r < high; ++r) {
    const SpaceWord word{group.region(r).word.load()};
    switch (word.state()) {
      case SpaceState::kPrivate:
      case SpaceState::kPublic:
      case SpaceState::kObject:
        ++count;
        break;
      case SpaceState::kSlab:
        each_block(group, r, word, [&](SpaceWord) { ++count; });
        break;
      default:
        break;
    }
  }
  return count;
}

}  // namespace mpc::model
