// SPDX-License-Identifier: Apache-2.0
#include "base/handles.hpp"

#include <atomic>
#include <deque>
#include <new>

#include "base/child_page.hpp"
#include "base/local_lock.hpp"

namespace mpc {
namespace {

// word: tag 31 @32 | open 1 @31 | pins 31 @0
struct Entry {
  std::atomic<uint64_t> word{0};
  HandleKind kind{};
  void* object = nullptr;
  void (*free_object)(void*) = nullptr;
};

constexpr uint64_t kOpen = uint64_t{1} << 31;
constexpr uint64_t kPins = kOpen - 1;
constexpr uint32_t kTags = (1u << 31) - 1;
constexpr uint32_t kPageEntries = 1024;
constexpr uint32_t kPages = (1u << 24) / kPageEntries;

struct Table {
  uint32_t used = 0;                     // under LocalLock
  std::deque<uint32_t>* free = nullptr;  // under LocalLock; the longest free first
  std::atomic<size_t> open{0};
};
MPC_CHILD_PAGE Table table;
constinit std::atomic<Entry*> pages[kPages] = {};

uint32_t index_of(const void* handle) {
  return static_cast<uint32_t>(reinterpret_cast<uintptr_t>(handle)) & 0xffffff;
}
uint32_t kind_of(const void* handle) {
  return static_cast<uint32_t>(reinterpret_cast<uintptr_t>(handle) >> 24) & 0xff;
}
uint32_t tag_of(const void* handle) {
  return static_cast<uint32_t>(reinterpret_cast<uintptr_t>(handle) >> 32);
}

Entry* entry_at(uint32_t index) {
  Entry* page = pages[index / kPageEntries].load(std::memory_order_acquire);
  return page == nullptr ? nullptr : &page[index % kPageEntries];
}

void finish(Entry& entry, uint32_t index) {
  void* object = entry.object;
  auto free_object = entry.free_object;
  {
    LocalLock lock;
    if (table.free == nullptr) table.free = new (std::nothrow) std::deque<uint32_t>;
    if (table.free != nullptr) table.free->push_back(index);
  }
  table.open.fetch_sub(1);
  free_object(object);
}

// Takes a pin back; whoever takes the last one of a closed entry deletes the object.
void unpin(Entry& entry, uint32_t index) {
  uint64_t before = entry.word.fetch_sub(1, std::memory_order_acq_rel);
  if ((before & kOpen) == 0 && (before & kPins) == 1) finish(entry, index);
}

}  // namespace

void* handle_open(HandleKind kind, void* object, void (*free_object)(void*)) {
  LocalLock lock;
  uint32_t index;
  if (table.free != nullptr && !table.free->empty()) {
    index = table.free->front();
    table.free->pop_front();
  } else {
    index = table.used;
    if (index / kPageEntries >= kPages) return nullptr;
    if (entry_at(index) == nullptr) {
      Entry* page = new (std::nothrow) Entry[kPageEntries];
      if (page == nullptr) return nullptr;
      pages[index / kPageEntries].store(page, std::memory_order_release);
    }
    ++table.used;
  }
  Entry& entry = *entry_at(index);
  uint32_t tag = (static_cast<uint32_t>(entry.word.load() >> 32) + 1) & kTags;
  if (tag == 0) tag = 1;
  entry.kind = kind;
  entry.object = object;
  entry.free_object = free_object;
  entry.word.store((uint64_t{tag} << 32) | kOpen, std::memory_order_release);
  table.open.fetch_add(1);
  return reinterpret_cast<void*>((uintptr_t{tag} << 32) |
                                 (uintptr_t{static_cast<uint8_t>(kind)} << 24) | index);
}

void* handle_pin(HandleKind kind, const void* handle) {
  if (kind_of(handle) != static_cast<uint8_t>(kind)) return nullptr;
  Entry* entry = entry_at(index_of(handle));
  if (entry == nullptr) return nullptr;
  uint64_t now = entry->word.load(std::memory_order_acquire);
  do {
    if (static_cast<uint32_t>(now >> 32) != tag_of(handle) || (now & kOpen) == 0) return nullptr;
  } while (!entry->word.compare_exchange_weak(now, now + 1, std::memory_order_acquire));
  return entry->kind == kind ? entry->object : (unpin(*entry, index_of(handle)), nullptr);
}

void handle_unpin(const void* handle) { unpin(*entry_at(index_of(handle)), index_of(handle)); }

bool handle_close(HandleKind kind, const void* handle) {
  if (handle_pin(kind, handle) == nullptr) return false;
  Entry* entry = entry_at(index_of(handle));
  uint64_t before = entry->word.fetch_and(~kOpen, std::memory_order_acq_rel);
  unpin(*entry, index_of(handle));
  return (before & kOpen) != 0;
}

size_t handle_count() { return table.open.load(); }

}  // namespace mpc
