// SPDX-License-Identifier: Apache-2.0
// Log lines for those who asked; nothing is formatted or written for those who did not.
#ifndef MPC_BASE_LOG_HPP
#define MPC_BASE_LOG_HPP

#include <mpc/log.h>

namespace mpc {

// Who receives the lines; MPC_LOG_OFF for nobody.
void log_set(mpc_log_level level, mpc_log_fn function, void* user_data);

// The name that lines carry. Set by the process layer; kept, not copied.
void log_set_process_name(const char* name);

// The level that lines need at least.
mpc_log_level log_level();

bool log_wanted(mpc_log_level level);

// Async-signal-unsafe; never called with a lock of the library held.
[[gnu::format(printf, 2, 3)]] void log_line(mpc_log_level level, const char* format, ...);

}  // namespace mpc

#endif
