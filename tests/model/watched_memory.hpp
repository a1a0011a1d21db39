// SPDX-License-Identifier: Apache-2.0
// The shared words of a model: every place that some participant has announced, with the value it
// had when the model began.
//
// A place is watched from its first announcement on. Since nobody changes a shared word without
// announcing it first, the value at that moment is the one it had in all states before, so states
// stored earlier need no correction: a state lists only the words that differ from the beginning.
#ifndef MPC_TESTS_MODEL_WATCHED_MEMORY_HPP
#define MPC_TESTS_MODEL_WATCHED_MEMORY_HPP

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "blob_table.hpp"

namespace mpc::model {

class WatchedMemory {
 public:
  // Watches the eight aligned bytes that hold `address`, if they are not watched yet.
  void watch(const void* address);
  void watch_range(const void* address, size_t size);

  // Zeroes the watched words of a range. The others were zero in all states, or nobody knows them.
  void empty(const void* address, size_t size);

  // The number of the present contents.
  uint32_t save();
  // Puts contents back that save() has numbered.
  void restore(uint32_t id);
  // Everything as it was in the beginning.
  void reset();

  // What the contents numbered `id` hold at `address`, as the word of `width` bytes there.
  uint64_t value(uint32_t id, const void* address, size_t width) const;

  size_t count() const { return places_.size(); }
  size_t contents() const { return table_.count(); }
  size_t stored_bytes() const { return table_.stored_bytes(); }

 private:
  struct Place {
    uint64_t* address;
    uint64_t first;
  };
  struct Difference {
    uint64_t place;
    uint64_t value;
  };

  std::vector<Place> places_;
  std::unordered_map<uintptr_t, size_t> by_address_;
  BlobTable table_;
  std::vector<Difference> scratch_;
};

}  // namespace mpc::model

#endif
