// SPDX-License-Identifier: Apache-2.0
// One participant's view of its group: where things are, and who it is.
//
// A process has one (group/current.hpp); the interleaver makes several over one memory.
#ifndef MPC_GROUP_GROUP_HPP
#define MPC_GROUP_GROUP_HPP

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>

#include "base/result.hpp"
#include "group/layout.hpp"
#include "os/identity.hpp"
#include "os/mapping.hpp"

namespace mpc {

// What the threads of one process take turns with. The interleaver's participants have one each.
#ifdef MPC_INTERLEAVE
struct ThreadLock {
  void lock() {}
  void unlock() {}
};
#else
using ThreadLock = std::mutex;
#endif

class Group {
 public:
  // Lays a new group out in a mapping that reads as zero. `limit` is in bytes of heap.
  static Group format(Mapping mapping, uint64_t id, uint64_t limit);

  // Looks at a group that is there already. Fails where its layout is another version's.
  static Result<Group> open(Mapping mapping);

  Group(Group&& other) noexcept;

  Header& header() const { return *reinterpret_cast<Header*>(base_); }
  Participant& participant(uint32_t index) const { return participants_[index]; }
  Descriptor& descriptor(uint32_t index) const { return descriptors_[index]; }
  Region& region(uint32_t index) const { return regions_[index]; }
  Word<uint64_t>& block_word(uint32_t region, uint32_t block) const {
    return block_words_[uint64_t{region} * kBlocksPerRegion + block];
  }

  char* at(uint64_t offset) const { return base_ + offset; }
  uint64_t offset_of(const void* address) const {
    return static_cast<uint64_t>(static_cast<const char*>(address) - base_);
  }
  char* heap(uint32_t region) const { return heap_ + region * kRegionSize; }
  uint64_t heap_offset() const { return static_cast<uint64_t>(heap_ - base_); }
  Mapping& mapping() { return mapping_; }

  // This participant. 0 until it has joined.
  Owner self;
  Participant& own_record() const { return participants_[self.index()]; }

  // Asks whether a process lives. Tests put another oracle here.
  Life (*life)(const Group& group, int32_t pid, uint64_t identity);

  // Where this process last found room: private hints, never shared.
  struct Hints {
    std::array<std::atomic<uint32_t>, kClasses> region{};  // index + 1, 0: none
    std::array<std::atomic<uint32_t>, kClasses> block{};
    std::atomic<uint32_t> descriptor{1};
    std::atomic<int64_t> trimmed_at{0};
    std::atomic<uint32_t> intents{0};  // bit: slot in use by a thread of this process
  };
  Hints hints;

  // Threads of this process that close objects take turns: the word CLOSING(self) cannot tell them
  // apart. Private to the process; a forked child has a new one (renew_private()).
  ThreadLock closing;
  void renew_private();

 private:
  Group(Mapping mapping, const Plan& plan);
  Mapping mapping_;
  char* base_;
  Participant* participants_;
  Descriptor* descriptors_;
  Region* regions_;
  Word<uint64_t>* block_words_;
  char* heap_;
};

// Raises a hint to at least `value`.
inline void raise(Word<uint32_t>& word, uint32_t value) {
  for (uint32_t now = word.peek(); now < value; now = word.peek()) {
    if (word.cas(now, value)) return;
  }
}

}  // namespace mpc

#endif
