// SPDX-License-Identifier: Apache-2.0
#include "base/log.hpp"

#include "boundary.hpp"

extern "C" mpc_status mpc_log_set(mpc_log_level level, mpc_log_fn function, void* user_data) {
  return mpc::guarded([&]() -> mpc::Result<void> {
    switch (level) {
      case MPC_LOG_OFF:
      case MPC_LOG_DEBUG:
      case MPC_LOG_INFO:
      case MPC_LOG_WARNING:
      case MPC_LOG_ERROR:
        mpc::log_set(level, function, user_data);
        return {};
    }
    return mpc::failure(MPC_EINVAL, "%d is no log level", static_cast<int>(level));
  });
}
