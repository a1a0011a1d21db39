// SPDX-License-Identifier: Apache-2.0
#include "blob_table.hpp"

#include <algorithm>
#include <cstring>

namespace mpc::model {
namespace {

constexpr size_t kChunk = size_t{1} << 20;
constexpr size_t kFirstSlots = 1024;

uint64_t hash_of(const unsigned char* bytes, size_t size) {
  uint64_t hash = 0x9e3779b97f4a7c15u ^ size;
  while (size > 0) {
    uint64_t word = 0;
    const size_t n = std::min(size, sizeof(word));
    std::memcpy(&word, bytes, n);
    hash = (hash ^ word) * 0xff51afd7ed558ccdu;
    hash ^= hash >> 32;
    bytes += n;
    size -= n;
  }
  return hash;
}

}  // namespace

BlobTable::BlobTable() : slots_(kFirstSlots) {}

BlobTable::Interned BlobTable::intern(const void* data, size_t size) {
  const auto* bytes = static_cast<const unsigned char*>(data);
  const uint64_t hash = hash_of(bytes, size);
  size_t at = hash & (slots_.size() - 1);
  while (slots_[at] != 0) {
    const Blob& blob = blobs_[slots_[at] - 1];
    if (blob.hash == hash && blob.size == size && std::equal(bytes, bytes + size, blob.bytes)) {
      return {slots_[at] - 1, false};
    }
    at = (at + 1) & (slots_.size() - 1);
  }
  unsigned char* copy = room(size);
  if (size > 0) std::memcpy(copy, bytes, size);
  blobs_.push_back({copy, hash, static_cast<uint32_t>(size)});
  slots_[at] = static_cast<uint32_t>(blobs_.size());
  stored_ += size;
  if (blobs_.size() * 2 > slots_.size()) grow();
  return {static_cast<uint32_t>(blobs_.size() - 1), true};
}

unsigned char* BlobTable::room(size_t size) {
  const size_t rounded = (size + 15) & ~size_t{15};
  if (rounded > chunk_left_) {
    const size_t chunk = std::max(kChunk, rounded);
    chunks_.push_back(std::make_unique<unsigned char[]>(chunk));
    chunk_next_ = chunks_.back().get();
    chunk_left_ = chunk;
  }
  unsigned char* place = chunk_next_;
  chunk_next_ += rounded;
  chunk_left_ -= rounded;
  return place;
}

void BlobTable::grow() {
  slots_.assign(slots_.size() * 2, 0);
  for (size_t i = 0; i < blobs_.size(); ++i) {
    size_t at = blobs_[i].hash & (slots_.size() - 1);
    while (slots_[at] != 0) at = (at + 1) & (slots_.size() - 1);
    slots_[at] = static_cast<uint32_t>(i + 1);
  }
}

}  // namespace mpc::model
