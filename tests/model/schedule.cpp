// SPDX-License-Identifier: Apache-2.0
// How a schedule is told: one line a step, with the word by name and its value before and after.
#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <vector>

#include "interleaver.hpp"

namespace mpc::model {

void Interleaver::call(const void* address, size_t size, std::string name) {
  names_.push_back({static_cast<const unsigned char*>(address), size, std::move(name)});
}

std::string Interleaver::name_of(const void* word) const {
  const auto* at = static_cast<const unsigned char*>(word);
  const auto* gone = reinterpret_cast<const unsigned char*>(gone_);
  if (at >= gone && at < gone + sizeof(gone_)) {
    return "liveness of " + participants_[(at - gone) / sizeof(gone_[0])].name;
  }
  // Later names are of smaller things, by custom: a record first, then its words.
  for (auto name = names_.rbegin(); name != names_.rend(); ++name) {
    if (at < name->address || at >= name->address + name->size) continue;
    const size_t offset = at - name->address;
    return offset == 0 ? name->name : name->name + "+" + std::to_string(offset);
  }
  char text[32];
  std::snprintf(text, sizeof(text), "%p", word);
  return text;
}

std::string Interleaver::line_of(const Origin& origin, uint32_t to) const {
  const State before = state(origin.from);
  const State after = state(to);
  std::string line = participants_[origin.participant].name;
  if (origin.died) return line + " dies\n";
  const Pending& pending = pending_[before.local[origin.participant]];
  const uint64_t was = memory_.value(before.memory, pending.word, sizeof(uint64_t));
  const uint64_t is = memory_.value(after.memory, pending.word, sizeof(uint64_t));
  static const char* const kVerbs[] = {" loads ", " stores ", " updates "};
  line += kVerbs[static_cast<int>(pending.access)] + name_of(pending.word);
  char values[64];
  if (was == is) {
    std::snprintf(values, sizeof(values), " (0x%" PRIx64 ")\n", is);
  } else {
    std::snprintf(values, sizeof(values), " (0x%" PRIx64 " -> 0x%" PRIx64 ")\n", was, is);
  }
  return line + values;
}

std::string Interleaver::schedule_to(uint32_t at) const {
  std::vector<uint32_t> path;
  for (uint32_t state = at; state != 0; state = origins_[state].from) path.push_back(state);
  std::reverse(path.begin(), path.end());
  std::string text;
  for (const uint32_t state : path) text += "  " + line_of(origins_[state], state);
  return text;
}

}  // namespace mpc::model
