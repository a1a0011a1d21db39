// SPDX-License-Identifier: Apache-2.0
// Functions by names of the program's choice. May be called before main(), and before this process
// is in a group.
#ifndef MPC_PROCESS_FUNCTION_REGISTRY_HPP
#define MPC_PROCESS_FUNCTION_REGISTRY_HPP

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace mpc {

inline constexpr size_t kLongestFunctionName = 255;

// The same name again is fine for the same function, and MPC_ESTATE for another. The object that
// has the function is not unloaded from then on: another function could come to its address.
Result<void> function_register(std::string_view name, const void* function);

// Null where there is none.
const void* function_registered(std::string_view name);

// The first name that it was registered by; empty where there is none.
std::string function_registered_name(const void* function);

}  // namespace mpc

#endif
