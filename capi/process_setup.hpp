// SPDX-License-Identifier: Apache-2.0
// From the options of a process to the copy that the core keeps.
#ifndef MPC_CAPI_PROCESS_SETUP_HPP
#define MPC_CAPI_PROCESS_SETUP_HPP

#include <memory>

#include <mpc/process.h>

#include "process/setup.hpp"

namespace mpc {

// Null where nothing was chosen.
Result<std::unique_ptr<const ProcessSetup>> take_setup(const mpc_process_options& options);

}  // namespace mpc

#endif
