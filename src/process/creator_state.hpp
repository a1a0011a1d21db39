// SPDX-License-Identifier: Apache-2.0
// What a child has from its creator although another process forks it: for start methods whose
// server was itself forked earlier, from whoever was first.
#ifndef MPC_PROCESS_CREATOR_STATE_HPP
#define MPC_PROCESS_CREATOR_STATE_HPP

#include <sys/resource.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace mpc {

struct CreatorLimit {
  uint64_t soft = 0;
  uint64_t hard = 0;
  bool operator==(const CreatorLimit&) const = default;
};

struct CreatorState {
  std::string working_directory;  // empty: it was removed, or has no path
  std::string environment;        // as environment_text() has it
  uint32_t umask = 0;
  int32_t nice = 0;
  uint64_t signal_mask = 0;
  uint64_t ignored_signals = 0;  // os/signals.hpp
  std::array<CreatorLimit, RLIM_NLIMITS> limits{};
  std::vector<uint64_t> cpus;  // a bit for each
  bool operator==(const CreatorState&) const = default;
};

// Of the calling thread, as a fork would copy it. `single_threaded`: the umask is asked for by
// setting it for a moment, which no thread can notice; else /proc is asked, which takes ten times
// as long as all the rest.
CreatorState creator_state_now(bool single_threaded);

std::string creator_state_pack(const CreatorState& state);
Result<CreatorState> creator_state_unpack(std::string_view bytes);

// Makes what this process has, which is `present`, as `wanted`; only what differs is touched. The
// signal mask comes last. REQUIRES: one thread.
Result<void> creator_state_apply(const CreatorState& wanted, const CreatorState& present);

}  // namespace mpc

#endif
