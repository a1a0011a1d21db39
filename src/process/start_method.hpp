// SPDX-License-Identifier: Apache-2.0
// Which way of starting processes is the default, and who has decided it.
#ifndef MPC_PROCESS_START_METHOD_HPP
#define MPC_PROCESS_START_METHOD_HPP

#include <array>

#include <mpc/process.h>

#include "base/result.hpp"

namespace mpc {

// What this system has, the default first.
inline constexpr std::array kStartMethods = {MPC_START_FORKSERVER, MPC_START_SPAWN, MPC_START_FORK};

const char* start_method_name(mpc_start_method method);

Result<void> start_method_set(uint32_t number, bool force);

// MPC_START_DEFAULT where none was chosen and `allow_none`; else the choice is made now.
mpc_start_method start_method_get(bool allow_none);

// What an option asks for.
Result<mpc_start_method> start_method_of(uint32_t option);

}  // namespace mpc

#endif
