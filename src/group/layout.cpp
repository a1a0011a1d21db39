// SPDX-License-Identifier: Apache-2.0
#include "group/layout.hpp"

#include <algorithm>
#include <bit>

#include "base/child_page.hpp"

namespace mpc {
namespace {

constexpr uint64_t align_up(uint64_t n, uint64_t to) { return (n + to - 1) / to * to; }

}  // namespace

MPC_CHILD_CODE Plan plan_for(uint64_t size) {
  constexpr uint64_t kPage = 4096;
  Plan plan;
  plan.size = size;
  // One descriptor for each 256 KiB: the index has 20 bits, and a small group needs few.
  plan.descriptors = static_cast<uint32_t>(std::clamp<uint64_t>(size >> 18, 1024, 1u << 20));
  plan.participants_offset = kHeaderSize;
  plan.descriptors_offset = plan.participants_offset + kParticipants * sizeof(Participant);
  plan.regions_offset =
      align_up(plan.descriptors_offset + plan.descriptors * sizeof(Descriptor), kPage);
  constexpr uint64_t kWords = kBlocksPerRegion * sizeof(uint64_t);
  constexpr uint64_t kPerRegion = kRegionSize + kWords + sizeof(Region);
  uint64_t left = size - plan.regions_offset - 2 * kRegionSize;  // room for the alignments below
  plan.regions = static_cast<uint32_t>(left / kPerRegion);
  plan.blocks_offset = align_up(plan.regions_offset + plan.regions * sizeof(Region), kPage);
  plan.heap_offset = align_up(plan.blocks_offset + plan.regions * kWords, kRegionSize);
  return plan;
}

uint32_t class_of(uint64_t size) {
  if (size <= 256) return static_cast<uint32_t>((size + 63) / 64) - 1;
  // The doubling that the size lies in, and which of its four steps.
  auto doubling = static_cast<uint32_t>(std::bit_width(size - 1)) - 9;
  uint64_t base = uint64_t{256} << doubling;
  auto step = static_cast<uint32_t>((size - base + base / 4 - 1) / (base / 4));
  return 3 + doubling * 4 + step;
}

uint64_t class_size(uint32_t size_class) {
  if (size_class < 4) return uint64_t{64} * (size_class + 1);
  uint64_t base = uint64_t{256} << ((size_class - 4) / 4);
  return base + base / 4 * ((size_class - 4) % 4 + 1);
}

}  // namespace mpc
