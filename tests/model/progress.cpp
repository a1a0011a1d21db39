// SPDX-License-Identifier: Apache-2.0
// Whether participants come to their end: questions to the finished graph of states.
#include <vector>

#include "interleaver.hpp"

namespace mpc::model {

// A hang is a state from which no schedule of the living leads to an end. Deaths do not count as
// a way out: nobody may depend on somebody else's being killed.
void Interleaver::look_for_hangs() {
  const size_t count = states_.count();
  const size_t width = participants_.size();
  // The edges backwards, grouped by where they lead.
  std::vector<uint32_t> begin(count + 1, 0);
  for (const uint32_t to : next_) {
    if (to != UINT32_MAX) ++begin[to + 1];
  }
  for (size_t i = 0; i < count; ++i) begin[i + 1] += begin[i];
  std::vector<uint32_t> from(begin[count]);
  std::vector<uint32_t> fill(begin.begin(), begin.end() - 1);
  for (size_t edge = 0; edge < next_.size(); ++edge) {
    if (next_[edge] != UINT32_MAX) from[fill[next_[edge]]++] = static_cast<uint32_t>(edge / width);
  }

  std::vector<bool> ends(count, false);
  std::vector<uint32_t> open;
  for (uint32_t at = 0; at < count; ++at) {
    const State state = this->state(at);
    bool over = true;
    for (size_t who = 0; who < width; ++who) over &= state.status[who] != Status::kRunning;
    if (over) {
      ends[at] = true;
      open.push_back(at);
    }
  }
  while (!open.empty()) {
    const uint32_t at = open.back();
    open.pop_back();
    for (uint32_t i = begin[at]; i < begin[at + 1]; ++i) {
      if (ends[from[i]]) continue;
      ends[from[i]] = true;
      open.push_back(from[i]);
    }
  }
  for (uint32_t at = 0; at < count; ++at) {
    if (!ends[at]) return fail(at, "hang: from here on no schedule comes to an end");
  }
}

// With all others stalled where they are, a participant's steps form a chain: it ends, or it comes
// back to a state that it was in.
void Interleaver::look_for_waits() {
  const size_t count = states_.count();
  enum : uint8_t { kUnknown, kOpen, kEnds, kNever };
  for (size_t who = 0; who < participants_.size(); ++who) {
    std::vector<uint8_t> verdict(count, kUnknown);
    std::vector<uint32_t> chain;
    for (uint32_t first = 0; first < count; ++first) {
      uint32_t at = first;
      chain.clear();
      while (verdict[at] == kUnknown && next(at, who) != UINT32_MAX) {
        verdict[at] = kOpen;
        chain.push_back(at);
        at = next(at, who);
      }
      const bool never = verdict[at] == kOpen || verdict[at] == kNever;
      for (const uint32_t link : chain) verdict[link] = never ? kNever : kEnds;
      if (never) {
        return fail(first, participants_[who].name +
                               " waits for a stalled participant: alone it never comes to its end");
      }
    }
  }
}

}  // namespace mpc::model
