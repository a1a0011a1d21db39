// SPDX-License-Identifier: Apache-2.0
#include "access_record.hpp"

#include <algorithm>

namespace mpc::model {
namespace {

uintptr_t place_of(const void* word) {
  return reinterpret_cast<uintptr_t>(word) & ~uintptr_t{sizeof(uint64_t) - 1};
}

uint8_t bit(int who) { return static_cast<uint8_t>(1u << who); }

}  // namespace

AccessRecord::Word& AccessRecord::at(const void* word) {
  const auto [entry, is_new] = words_.try_emplace(place_of(word));
  if (is_new) {
    for (const Range& range : emptied_) {
      if (entry->first >= range.from && entry->first < range.to) {
        entry->second.writers |= bit(range.who);
      }
    }
  }
  return entry->second;
}

void AccessRecord::add_writer(Word* word, int who) {
  word->writers |= bit(who);
  if ((word->assumers & ~bit(who)) == 0) return;
  contradicted_ = true;
  word->assumers = 0;
}

bool AccessRecord::assume_own(const void* word, int who) {
  Word& known = at(word);
  if ((known.writers & ~bit(who)) != 0) return false;
  known.assumers |= bit(who);
  return true;
}

void AccessRecord::written(const void* word, int who) { add_writer(&at(word), who); }

void AccessRecord::written_range(const void* from, size_t size, int who) {
  const auto begin = reinterpret_cast<uintptr_t>(from);
  const Range range{begin, begin + size, who};
  const bool known = std::any_of(emptied_.begin(), emptied_.end(), [&](const Range& other) {
    return other.from == range.from && other.to == range.to && other.who == who;
  });
  if (known) return;
  emptied_.push_back(range);
  for (auto& [place, word] : words_) {
    if (place >= range.from && place < range.to) add_writer(&word, who);
  }
}

bool AccessRecord::take_contradiction() {
  const bool contradicted = contradicted_;
  contradicted_ = false;
  return contradicted;
}

}  // namespace mpc::model
