// SPDX-License-Identifier: Apache-2.0
#include "process/served_record.hpp"

#include <algorithm>
#include <array>

#include "os/futex.hpp"

namespace mpc {
namespace {

// An answer: generation @32 | Reply 2 @30 | value 30 @0.
constexpr uint32_t kValueBits = 30;

uint64_t packed(Owner child, ServedAnswer answer) {
  return (uint64_t{child.generation()} << 32) | (answer.reply << kValueBits) |
         static_cast<uint32_t>(answer.value);
}

// A figure: generation 18 @46 | 46 bits. Of time that is two years in microseconds.
constexpr uint32_t kFigureBits = 46;
constexpr uint64_t kFigureMask = (uint64_t{1} << kFigureBits) - 1;

using Figures = std::array<uint64_t, 7>;

uint64_t microseconds(const timeval& time) {
  return static_cast<uint64_t>(time.tv_sec) * 1000000 + static_cast<uint64_t>(time.tv_usec);
}

Figures figures_of(const rusage& used) {
  return {microseconds(used.ru_utime),           microseconds(used.ru_stime),
          static_cast<uint64_t>(used.ru_maxrss), static_cast<uint64_t>(used.ru_minflt),
          static_cast<uint64_t>(used.ru_majflt), static_cast<uint64_t>(used.ru_nvcsw),
          static_cast<uint64_t>(used.ru_nivcsw)};
}

}  // namespace

void served_answer(Group& group, Owner child, ServedAnswer answer) {
  Word<uint64_t>& word = group.participant(child.index()).answer;
  for (;;) {
    uint64_t now = word.load();
    uint32_t before = static_cast<uint32_t>(now) >> kValueBits;
    bool ours = now >> 32 == child.generation();
    if (!ours || before >= ServedAnswer::kStarted || before >= answer.reply) return;
    if (word.cas(now, packed(child, answer))) break;
  }
  if (answer.reply != ServedAnswer::kBegun) futex_wake(word.address(), INT32_MAX);
}

ServedAnswer served_answer_read(const Group& group, Owner child) {
  uint64_t word = group.participant(child.index()).answer.load();
  if (word >> 32 != child.generation()) return {};
  auto answer = static_cast<uint32_t>(word);
  return {static_cast<ServedAnswer::Reply>(answer >> kValueBits),
          static_cast<int32_t>(answer & ((1u << kValueBits) - 1))};
}

// The lower half comes first in memory on both processors.
void served_answer_wait(const Group& group, Owner child, ServedAnswer seen, int64_t timeout_ns) {
  futex_wait(group.participant(child.index()).answer.address(),
             static_cast<uint32_t>(packed(child, seen)), timeout_ns);
}

void served_usage_write(Group& group, Owner child, const rusage& used) {
  Participant& record = group.participant(child.index());
  Figures figures = figures_of(used);
  static_assert(std::size(decltype(Participant::figures){}) == Figures().size());
  for (size_t i = 0; i < figures.size(); ++i) {
    uint64_t value =
        (uint64_t{child.generation()} << kFigureBits) | std::min(figures[i], kFigureMask);
    for (;;) {
      uint64_t now = record.figures[i].load();
      if (now >> kFigureBits > child.generation() || record.figures[i].cas(now, value)) break;
    }
  }
}

mpc_process_usage served_usage_read(const Group& group, Owner child) {
  const Participant& record = group.participant(child.index());
  Figures figures;
  for (size_t i = 0; i < figures.size(); ++i) {
    uint64_t word = record.figures[i].load();
    if (word >> kFigureBits != child.generation()) return MPC_PROCESS_USAGE_INIT;
    figures[i] = word & kFigureMask;
  }
  mpc_process_usage usage = MPC_PROCESS_USAGE_INIT;
  usage.known = 1;
  usage.user_ns = static_cast<int64_t>(figures[0]) * 1000;
  usage.system_ns = static_cast<int64_t>(figures[1]) * 1000;
  usage.max_rss_bytes = figures[2] * 1024;
  usage.minor_faults = figures[3];
  usage.major_faults = figures[4];
  usage.voluntary_switches = figures[5];
  usage.involuntary_switches = figures[6];
  return usage;
}

}  // namespace mpc
