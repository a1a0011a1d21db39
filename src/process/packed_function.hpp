// SPDX-License-Identifier: Apache-2.0
// A FunctionName as bytes, for who is told of it through shared memory.
#ifndef MPC_PROCESS_PACKED_FUNCTION_HPP
#define MPC_PROCESS_PACKED_FUNCTION_HPP

#include <string>
#include <string_view>

#include "process/function_name.hpp"

namespace mpc {

std::string function_pack(const FunctionName& name);

// MPC_EINTERNAL where the bytes are not function_pack()'s. What follows them is not looked at.
Result<FunctionName> function_unpack(std::string_view bytes);

}  // namespace mpc

#endif
