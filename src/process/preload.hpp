// SPDX-License-Identifier: Apache-2.0
// What a fork server loads and runs before its first fork: chosen once for this process and those
// that it starts.
#ifndef MPC_PROCESS_PRELOAD_HPP
#define MPC_PROCESS_PRELOAD_HPP

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace mpc {

enum class PreloadErrors : uint32_t { kIgnore, kWarn, kFail };

struct Preload {
  std::vector<std::string> libraries;  // paths, or names that the loader looks for
  std::string init;                    // function_pack(); empty: none
  PreloadErrors on_error = PreloadErrors::kIgnore;
  int64_t timeout_ns = 0;
  bool empty() const { return libraries.empty() && init.empty(); }
};

std::string preload_pack(const Preload& preload);
Result<Preload> preload_unpack(std::string_view bytes);

// The choice, packed; empty where there is none.
std::string preload_chosen();
void preload_choose(std::string packed);

}  // namespace mpc

#endif
