// SPDX-License-Identifier: Apache-2.0
#include "group/intent.hpp"

#include <sched.h>

#include <bit>

namespace mpc {
namespace {

uint32_t borrow_slot(std::atomic<uint32_t>& in_use) {
  constexpr uint32_t kAll = (1u << kIntentsPerParticipant) - 1;
  for (;;) {
    uint32_t now = in_use.load(std::memory_order_relaxed);
    if (now == kAll) {
      sched_yield();
      continue;
    }
    auto slot = static_cast<uint32_t>(std::countr_one(now));
    if (in_use.compare_exchange_weak(now, now | (1u << slot), std::memory_order_acquire)) {
      return slot;
    }
  }
}

}  // namespace

IntentNote::IntentNote(Group& group, Intent intent, uint64_t first, uint64_t length, uint64_t stamp)
    : group_(group), slot_(borrow_slot(group.hints.intents)) {
#if MPC_PLANT_FAULT == 1
  intent = Intent::kNone;
#endif
  IntentSlot& slot = group_.own_record().intents[slot_];
  // What a predecessor's record may still say is taken back before the fields change under it.
  slot.tag.store(0);
  fence();
  slot.first.set(first);
  slot.length.set(length);
  slot.stamp.set(stamp);
  slot.tag.store((uint64_t{group.self.generation()} << 32) | static_cast<uint32_t>(intent));
}

IntentNote::~IntentNote() {
  group_.own_record().intents[slot_].tag.store(0);
  group_.hints.intents.fetch_and(~(1u << slot_), std::memory_order_release);
}

}  // namespace mpc
