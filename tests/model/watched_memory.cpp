// SPDX-License-Identifier: Apache-2.0
#include "watched_memory.hpp"

#include <algorithm>
#include <cstring>

namespace mpc::model {
namespace {

constexpr uintptr_t kGrain = sizeof(uint64_t);

uintptr_t aligned(const void* address) {
  return reinterpret_cast<uintptr_t>(address) & ~(kGrain - 1);
}

// The words are of several widths and types; as eight bytes they are all alike. A smaller one may
// be at the edge of an object, so the address sanitizer has no say here.
using Bytes __attribute__((may_alias)) = uint64_t;

__attribute__((no_sanitize("address"), noinline)) uint64_t read(const uint64_t* address) {
  return *reinterpret_cast<const volatile Bytes*>(address);
}

__attribute__((no_sanitize("address"), noinline)) void write(uint64_t* address, uint64_t value) {
  *reinterpret_cast<volatile Bytes*>(address) = value;
}

}  // namespace

void WatchedMemory::watch(const void* address) {
  const uintptr_t at = aligned(address);
  if (!by_address_.emplace(at, places_.size()).second) return;
  auto* place = reinterpret_cast<uint64_t*>(at);
  places_.push_back({place, read(place)});
}

void WatchedMemory::watch_range(const void* address, size_t size) {
  const uintptr_t end = reinterpret_cast<uintptr_t>(address) + size;
  for (uintptr_t at = aligned(address); at < end; at += kGrain) {
    watch(reinterpret_cast<const void*>(at));
  }
}

void WatchedMemory::empty(const void* address, size_t size) {
  const auto* from = static_cast<const unsigned char*>(address);
  for (const Place& place : places_) {
    const auto* at = reinterpret_cast<const unsigned char*>(place.address);
    if (at >= from && at < from + size) write(place.address, 0);
  }
}

uint32_t WatchedMemory::save() {
  scratch_.clear();
  for (size_t i = 0; i < places_.size(); ++i) {
    const uint64_t value = read(places_[i].address);
    if (value != places_[i].first) scratch_.push_back({i, value});
  }
  return table_.intern(scratch_.data(), scratch_.size() * sizeof(Difference)).id;
}

void WatchedMemory::restore(uint32_t id) {
  reset();
  const auto* differences = reinterpret_cast<const Difference*>(table_.bytes(id));
  const size_t count = table_.size(id) / sizeof(Difference);
  for (size_t i = 0; i < count; ++i)
    write(places_[differences[i].place].address, differences[i].value);
}

void WatchedMemory::reset() {
  for (const Place& place : places_) write(place.address, place.first);
}

uint64_t WatchedMemory::value(uint32_t id, const void* address, size_t width) const {
  const uintptr_t at = aligned(address);
  const auto known = by_address_.find(at);
  if (known == by_address_.end()) return 0;
  uint64_t value = places_[known->second].first;
  const auto* differences = reinterpret_cast<const Difference*>(table_.bytes(id));
  const size_t count = table_.size(id) / sizeof(Difference);
  for (size_t i = 0; i < count; ++i) {
    if (differences[i].place == known->second) value = differences[i].value;
  }
  uint64_t word = 0;
  const size_t offset = reinterpret_cast<uintptr_t>(address) - at;
  std::memcpy(&word, reinterpret_cast<const unsigned char*>(&value) + offset,
              std::min(width, sizeof(value) - offset));
  return word;
}

}  // namespace mpc::model
