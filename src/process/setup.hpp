// SPDX-License-Identifier: Apache-2.0
// What a child is to have otherwise than its creator.
//
// A process for which nothing was chosen has no ProcessSetup at all, so that its start pays for one
// look at a pointer.
#ifndef MPC_PROCESS_SETUP_HPP
#define MPC_PROCESS_SETUP_HPP

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <mpc/process.h>

#include "base/result.hpp"

namespace mpc {

// The exit code of a child that could not be set up as was asked.
inline constexpr int kSetupFailed = 255;

struct StandardStream {
  uint32_t kind = MPC_STDIO_DEFAULT;
  int32_t descriptor = 0;
  std::string path;
  bool operator==(const StandardStream&) const = default;
};

struct ProcessSetup {
  std::string working_directory;           // empty: the creator's
  std::optional<std::string> environment;  // as environment_text() has it; nothing: the creator's
  std::array<StandardStream, 3> streams;
  uint32_t process_group = MPC_PROCESS_GROUP_INHERIT;
  int32_t nice = 0;
  std::vector<mpc_limit> limits;
  std::vector<uint32_t> cpus;  // empty: the creator's
  std::vector<mpc_descriptor> descriptors;

  bool empty() const;
};

// For start methods that hand it over in memory.
std::string setup_pack(const ProcessSetup& setup);
Result<ProcessSetup> setup_unpack(std::string_view bytes);

// What a creator can find out before a start about what its child will be asked to do.
Result<void> setup_check(const ProcessSetup& setup);

// The CPUs as the kernel takes them; empty where none were chosen.
std::vector<uint64_t> setup_cpu_mask(const ProcessSetup& setup);

// In the child: all but the descriptors, which setup_descriptors.hpp has.
Result<void> setup_apply(const ProcessSetup& setup);

}  // namespace mpc

#endif
