// SPDX-License-Identifier: Apache-2.0
#include "group/object.hpp"

#include <utility>

#include "group/space.hpp"

namespace mpc {
namespace {

// Flags beside the owner in "by" of CLOSING.
constexpr uint32_t kWasEnded = 1u << 31;
constexpr uint32_t kCommitted = 1u << 30;
constexpr uint32_t kOwnerMask = kCommitted - 1;

// A link: generation 28 @36 of the descriptor that it is in | generation 16 @20 and index 20 @0 of
// the descriptor that it leads to; index 0: the end.
constexpr uint64_t link_word(uint32_t generation, ObjectId to) {
  return (uint64_t{generation & kObjectGenerationMask} << 36) |
         (uint64_t{to.generation & 0xffff} << 20) | to.index;
}
constexpr uint64_t end_link(uint32_t generation) { return link_word(generation, ObjectId{}); }

// What "body" of a HOLDERS descriptor says: the object that its words are for.
uint64_t object_name(ObjectId id) {
  return (uint64_t{id.generation & kObjectGenerationMask} << 36) | id.index;
}

DescriptorWord state_of(const Group& group, uint32_t index) {
  return DescriptorWord{group.descriptor(index).state.load()};
}

void mark_descriptor(Group& group, Owner owner, uint32_t index) {
  Word<uint64_t>& marks = group.participant(owner.index()).descriptor_marks;
  uint64_t bit = uint64_t{1} << (index / 1024 % 64);
  if ((marks.peek() & bit) == 0) marks.set_bits(bit);
}

bool marked(const Group& group, Owner owner, uint32_t index) {
  return (group.participant(owner.index()).descriptor_marks.load() >> (index / 1024 % 64) & 1) != 0;
}

// A free descriptor -> MAKING(self), emptied.
Result<ObjectId> claim_descriptor(Group& group, uint32_t kind) {
  Header& header = group.header();
  uint32_t start = group.hints.descriptor.load(std::memory_order_relaxed);
  for (uint32_t k = 0; k < header.descriptors - 1; ++k) {
    uint32_t index = 1 + (start - 1 + k) % (header.descriptors - 1);
    Descriptor& descriptor = group.descriptor(index);
    if (index >= header.descriptors_high.load()) {
      if (!populate(&descriptor, sizeof descriptor)) {
        return failure(MPC_EEXHAUSTED, "the system has no memory left for the group");
      }
      raise(header.descriptors_high, index + 1);
    }
    DescriptorWord now{descriptor.state.load()};
    if (now.state() != DescriptorState::kFree) continue;
    mark_descriptor(group, group.self, index);
    uint64_t making =
        DescriptorWord::make(now.generation(), DescriptorState::kMaking, group.self.word).word;
    if (!descriptor.state.cas(now.word, making)) continue;
    descriptor.kind.set(kind);
    descriptor.region_marks.set(0);
    descriptor.body.set(0);
    group.hints.descriptor.store(index + 1, std::memory_order_relaxed);
    return ObjectId{index, now.generation()};
  }
  return failure(MPC_EEXHAUSTED, "the group has %u shared objects, the most that it can have",
                 header.descriptors - 1);
}

void free_descriptor(Group& group, uint32_t index, DescriptorWord from) {
  uint64_t free = DescriptorWord::make(from.generation() + 1, DescriptorState::kFree, 0).word;
  group.descriptor(index).state.cas(from.word, free);
}

// LIVE, or about to be so again or not: who holds it decides.
bool may_be_attached(DescriptorWord now) {
  return now.state() == DescriptorState::kLive ||
         (now.state() == DescriptorState::kClosing && (now.by() & (kCommitted | kWasEnded)) == 0);
}

// What CLOSING becomes where there is a holder after all.
DescriptorWord gone_back(DescriptorWord closing) {
  bool ended = (closing.by() & kWasEnded) != 0;
  return DescriptorWord::make(closing.generation(),
                              ended ? DescriptorState::kEnded : DescriptorState::kLive, 0);
}

// The descriptor with further holder words that follows another in a chain; index 0 at the end. A
// link leads to one generation of a descriptor: one that was freed since, and may be anything now,
// is the end as well.
ObjectId next_in_chain(const Group& group, ObjectId link) {
  uint64_t more = group.descriptor(link.index).more.load();
  auto index = static_cast<uint32_t>(more & 0xfffff);
  if (index == 0 || more >> 36 != link.generation) return {};
  DescriptorWord now = state_of(group, index);
  bool same = (now.generation() & 0xffff) == (more >> 20 & 0xffff) &&
              (now.state() == DescriptorState::kHolders || now.state() == DescriptorState::kMaking);
  return same ? ObjectId{index, now.generation()} : ObjectId{};
}

ObjectId last_in_chain(const Group& group, ObjectId id) {
  for (ObjectId next = next_in_chain(group, id); next.index != 0; next = next_in_chain(group, id)) {
    id = next;
  }
  return id;
}

// Calls `visit(word, link)` with each holder word of an object, and the descriptor that it is in,
// until it returns true.
template <class Visit>
bool each_holder(const Group& group, ObjectId id, Visit visit) {
  for (ObjectId link = id; link.index != 0; link = next_in_chain(group, link)) {
    for (Word<uint64_t>& word : group.descriptor(link.index).holders) {
      if (visit(word, link)) return true;
    }
  }
  return false;
}

bool has_holder(const Group& group, ObjectId id) {
  return each_holder(group, id, [](Word<uint64_t>& word, ObjectId link) {
    HolderWord now{word.load()};
    return now.generation() == link.generation && now.owner();
  });
}

// Writes `owner` into a free holder word. Null if all are taken.
Word<uint64_t>* take_holder_word(Group& group, ObjectId id, Owner owner, uint32_t& out_generation) {
  Word<uint64_t>* taken = nullptr;
  each_holder(group, id, [&](Word<uint64_t>& word, ObjectId link) {
    HolderWord now{word.load()};
    if (now.generation() == link.generation && now.owner()) return false;
    // Of a later object in this place: the one that was to be held has ended.
    uint32_t later = (now.generation() - link.generation) & kObjectGenerationMask;
    if (later != 0 && later <= kObjectGenerationMask / 2) return false;
    mark_descriptor(group, owner, link.index);
    if (!word.cas(now.word, HolderWord::make(link.generation, owner).word)) return false;
    taken = &word;
    out_generation = link.generation;
    return true;
  });
  return taken;
}

// Makes the end of a chain one of the descriptor's next generation, so that nobody can add to it
// any more; every descriptor is sealed before it is freed. False if something follows.
bool seal(Group& group, ObjectId link) {
  Word<uint64_t>& more = group.descriptor(link.index).more;
  uint64_t now = more.load();
  if (next_in_chain(group, link).index != 0) return false;
  return more.cas(now, end_link(link.generation + 1));
}

// Links one more descriptor with holder words to the end of an object's chain.
Result<void> lengthen_chain(Group& group, ObjectId id) {
  Result<ObjectId> holders = claim_descriptor(group, kHoldersKind);
  if (!holders) return holders.error();
  Descriptor& descriptor = group.descriptor(holders->index);
  descriptor.body.store(object_name(id));
  DescriptorWord making =
      DescriptorWord::make(holders->generation, DescriptorState::kMaking, group.self.word);
  ObjectId last = last_in_chain(group, id);
  if (group.descriptor(last.index)
          .more.cas(end_link(last.generation), link_word(last.generation, *holders))) {
    descriptor.state.cas(
        making.word, DescriptorWord::make(holders->generation, DescriptorState::kHolders, 0).word);
  } else {
    seal(group, *holders);
    free_descriptor(group, holders->index, making);
  }
  return {};
}

// From the last to the first, so that a chain cut short by a death is a chain still.
void free_chain(Group& group, ObjectId id) {
  for (;;) {
    ObjectId last = last_in_chain(group, id);
    if (!seal(group, last)) continue;
    if (last == id) return;
    for (DescriptorWord now = state_of(group, last.index); now.generation() == last.generation;
         now = state_of(group, last.index)) {
      free_descriptor(group, last.index, now);
    }
  }
}

// The object that a descriptor is a link of, where `now` is a word that it had; index 0 if it is no
// link, or has become something else since.
ObjectId object_of_link(const Group& group, uint32_t index, DescriptorWord now) {
  if (now.state() != DescriptorState::kHolders && now.state() != DescriptorState::kMaking)
    return {};
  if (group.descriptor(index).kind.load() != kHoldersKind) return {};
  uint64_t body = group.descriptor(index).body.load();
  if (state_of(group, index).generation() != now.generation()) return {};
  ObjectId id{static_cast<uint32_t>(body & 0xfffff), static_cast<uint32_t>(body >> 36)};
  return id.index < group.header().descriptors ? id : ObjectId{};
}

// REQUIRES: the state is `closing`, CLOSING(self, committed).
void finish_closing(Group& group, ObjectId id, DescriptorWord closing) {
  Descriptor& descriptor = group.descriptor(id.index);
  space_free_object(group, id.word(), descriptor.region_marks.load());
  free_chain(group, id);
  free_descriptor(group, id.index, closing);
}

// REQUIRES: the state is CLOSING(self), not committed, unless an attacher has set it back.
void close_or_go_back(Group& group, ObjectId id) {
  Word<uint64_t>& state = group.descriptor(id.index).state;
  for (;;) {
    DescriptorWord now{state.load()};
    if (now.generation() != id.generation || now.state() != DescriptorState::kClosing ||
        (now.by() & kOwnerMask) != group.self.word || (now.by() & kCommitted) != 0) {
      return;
    }
    if (has_holder(group, id)) {
      if (state.cas(now.word, gone_back(now).word)) return;
      continue;
    }
    DescriptorWord committed =
        DescriptorWord::make(id.generation, DescriptorState::kClosing, now.by() | kCommitted);
    if (!state.cas(now.word, committed.word)) continue;
    finish_closing(group, id, committed);
    return;
  }
}

// To be called by whoever has let a holder word go.
void close_if_unheld(Group& group, ObjectId id) {
  std::lock_guard<ThreadLock> guard(group.closing);
  for (;;) {
    DescriptorWord now = state_of(group, id.index);
    bool open = now.state() == DescriptorState::kLive || now.state() == DescriptorState::kEnded;
    if (now.generation() != id.generation || !open || has_holder(group, id)) return;
    uint32_t by = group.self.word | (now.state() == DescriptorState::kEnded ? kWasEnded : 0);
    mark_descriptor(group, group.self, id.index);
    DescriptorWord closing = DescriptorWord::make(id.generation, DescriptorState::kClosing, by);
    if (!group.descriptor(id.index).state.cas(now.word, closing.word)) continue;
    close_or_go_back(group, id);
    // It may have gone back for one who has let go since, and who saw CLOSING.
    if (state_of(group, id.index).generation() != id.generation) return;
  }
}

Error stale() { return failure(MPC_ESTALE, "the object that the ref names has ended"); }

// What a dead participant was making: nobody else has seen it, unless it is a link of a chain.
void sweep_making(Group& group, uint32_t index, DescriptorWord making) {
  Descriptor& descriptor = group.descriptor(index);
  ObjectId self{index, making.generation()};
  if (descriptor.kind.load() == kHoldersKind) {
    ObjectId object = object_of_link(group, index, making);
    for (ObjectId link = object; link.index != 0; link = next_in_chain(group, link)) {
      if (!(link == self)) continue;
      uint64_t ready = DescriptorWord::make(self.generation, DescriptorState::kHolders, 0).word;
      descriptor.state.cas(making.word, ready);
      return;
    }
    seal(group, self);
    free_descriptor(group, index, making);
    return;
  }
  // Taken over first: giving memory back is for the one who is named.
  DescriptorWord mine = DescriptorWord::make(making.generation(), DescriptorState::kClosing,
                                             group.self.word | kCommitted);
  mark_descriptor(group, group.self, index);
  if (descriptor.state.cas(making.word, mine.word)) finish_closing(group, self, mine);
}

}  // namespace

Result<NewObject> NewObject::begin(Group& group, uint32_t kind, uint64_t size) {
  Result<ObjectId> id = claim_descriptor(group, kind);
  if (!id) return id.error();
  group.descriptor(id->index).size.set(size);
  return NewObject(group, *id);
}

NewObject::NewObject(NewObject&& other) noexcept
    : group_(std::exchange(other.group_, nullptr)), id_(other.id_) {}

NewObject::~NewObject() {
  if (group_ == nullptr) return;
  DescriptorWord now = state_of(*group_, id_.index);
  if (now.generation() == id_.generation && now.state() == DescriptorState::kMaking) {
    sweep_making(*group_, id_.index, now);
  }
}

Result<uint64_t> NewObject::allocate(uint64_t size) {
  Result<uint64_t> offset = object_allocate(*group_, id_, size);
  Word<uint64_t>& body = group_->descriptor(id_.index).body;
  if (offset && body.peek() == 0) body.store(*offset);
  return offset;
}

Result<void> NewObject::commit() {
  uint32_t generation;
  take_holder_word(*group_, id_, group_->self, generation);
  DescriptorWord making =
      DescriptorWord::make(id_.generation, DescriptorState::kMaking, group_->self.word);
  group_->descriptor(id_.index).state.cas(
      making.word, DescriptorWord::make(id_.generation, DescriptorState::kLive, 0).word);
  group_ = nullptr;
  return {};
}

Result<uint64_t> object_allocate(Group& group, ObjectId id, uint64_t size) {
  Result<uint64_t> offset = space_allocate(group, size);
  if (offset) object_adopt(group, id, *offset);
  return offset;
}

void object_adopt(Group& group, ObjectId id, uint64_t offset) {
  uint64_t region = (offset - group.heap_offset()) / kRegionSize;
  group.descriptor(id.index).region_marks.set_bits(uint64_t{1} << (region % 64));
  space_adopt(group, offset, id.word());
}

Result<void> object_attach(Group& group, ObjectId id, Owner owner) {
  if (id.index == 0 || id.index >= group.header().descriptors_high.load()) return stale();
  bool lengthened = false;
  for (;;) {
    DescriptorWord now = state_of(group, id.index);
    if (now.generation() != id.generation || !may_be_attached(now)) {
      // Who let a word of the link go may not have known yet whose it was.
      if (lengthened) close_if_unheld(group, id);
      return stale();
    }
    mark_descriptor(group, owner, id.index);
    uint32_t generation = 0;
    Word<uint64_t>* word = take_holder_word(group, id, owner, generation);
    if (word == nullptr) {
      if (Result<void> longer = lengthen_chain(group, id); !longer) return longer;
      lengthened = true;
      continue;
    }
    // The other half is in close_or_go_back(): one of the two sees the other.
    for (;;) {
      now = state_of(group, id.index);
      if (now.generation() != id.generation || !may_be_attached(now)) break;
      if (now.state() == DescriptorState::kLive) return {};
      // Somebody is closing it who has not seen this holder word: it goes back, for there is one.
      if (group.descriptor(id.index).state.cas(now.word, gone_back(now).word)) return {};
    }
    word->cas(HolderWord::make(generation, owner).word, HolderWord::make(generation, Owner{}).word);
    close_if_unheld(group, id);
    return stale();
  }
}

void object_detach(Group& group, ObjectId id, Owner owner) {
  bool found = each_holder(group, id, [&](Word<uint64_t>& word, ObjectId link) {
    return word.cas(HolderWord::make(link.generation, owner).word,
                    HolderWord::make(link.generation, Owner{}).word);
  });
  if (found) close_if_unheld(group, id);
}

bool object_destroy(Group& group, ObjectId id) {
  Word<uint64_t>& state = group.descriptor(id.index).state;
  for (;;) {
    DescriptorWord now{state.load()};
    if (now.generation() != id.generation || !may_be_attached(now)) return false;
    // In the middle of being closed it is told so: if it goes back, then to ENDED.
    DescriptorWord ended =
        now.state() == DescriptorState::kLive
            ? DescriptorWord::make(id.generation, DescriptorState::kEnded, 0)
            : DescriptorWord::make(id.generation, DescriptorState::kClosing, now.by() | kWasEnded);
    if (state.cas(now.word, ended.word)) return true;
  }
}

bool object_live(const Group& group, ObjectId id) {
  DescriptorWord now = state_of(group, id.index);
  return now.generation() == id.generation && may_be_attached(now);
}

void object_sweep(Group& group, Owner dead) {
  uint32_t high = group.header().descriptors_high.load();
  for (uint32_t index = 1; index < high; ++index) {
    if (!marked(group, dead, index)) {
      index |= 1023;  // the rest of what this mark speaks for
      continue;
    }
    Descriptor& descriptor = group.descriptor(index);
    DescriptorWord now = state_of(group, index);
    if (now.state() == DescriptorState::kFree) continue;
    ObjectId id{index, now.generation()};
    if (now.state() == DescriptorState::kMaking && now.by() == dead.word) {
      sweep_making(group, index, now);
      continue;
    }
    if (now.state() == DescriptorState::kClosing && (now.by() & kOwnerMask) == dead.word) {
      std::lock_guard<ThreadLock> guard(group.closing);
      mark_descriptor(group, group.self, index);
      DescriptorWord mine = DescriptorWord::make(now.generation(), DescriptorState::kClosing,
                                                 (now.by() & ~kOwnerMask) | group.self.word);
      if (descriptor.state.cas(now.word, mine.word)) {
        if ((now.by() & kCommitted) != 0) {
          finish_closing(group, id, mine);
          continue;
        }
        close_or_go_back(group, id);
      }
    }
    for (Word<uint64_t>& word : descriptor.holders) {
      HolderWord held = HolderWord::make(now.generation(), dead);
      word.cas(held.word, HolderWord::make(now.generation(), Owner{}).word);
    }
    if (ObjectId object = object_of_link(group, index, now); object.index != 0) id = object;
    // Also where nothing was let go now: the dead, or a sweeper that died since, may have let go
    // and not come to the closing.
    close_if_unheld(group, id);
  }
}

uint64_t object_count(const Group& group) {
  uint64_t count = 0;
  uint32_t high = group.header().descriptors_high.load();
  for (uint32_t index = 1; index < high; ++index) {
    DescriptorState state = state_of(group, index).state();
    if (state != DescriptorState::kFree && state != DescriptorState::kHolders) ++count;
  }
  return count;
}

}  // namespace mpc
