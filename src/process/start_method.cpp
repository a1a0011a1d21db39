// SPDX-License-Identifier: Apache-2.0
#include "process/start_method.hpp"

#include <algorithm>
#include <atomic>

#include "base/child_page.hpp"

namespace mpc {
namespace {

std::atomic<mpc_start_method> chosen{MPC_START_DEFAULT};

// C may pass any number: it is compared before it is taken for one of the enumeration.
bool known(uint32_t number) {
  return std::any_of(kStartMethods.begin(), kStartMethods.end(), [number](mpc_start_method each) {
    return static_cast<uint32_t>(each) == number;
  });
}

Error unknown(uint32_t method) {
  if (method == MPC_START_PROGRAM) {
    return failure(MPC_EINVAL,
                   "`program` runs no functions, and so is no default and not for pools; name the "
                   "executable in mpc_process_options.program");
  }
  return failure(MPC_EINVAL,
                 "%u is no start method of this system; mpc_start_method_list() tells which are",
                 method);
}

}  // namespace

const char* start_method_name(mpc_start_method method) {
  switch (method) {
    case MPC_START_FORK:
      return "fork";
    case MPC_START_SPAWN:
      return "spawn";
    case MPC_START_FORKSERVER:
      return "forkserver";
    case MPC_START_PROGRAM:
      return "program";
    default:
      return nullptr;
  }
}

MPC_CHILD_CODE Result<void> start_method_set(uint32_t number, bool force) {
  if (!known(number) && !(force && number == MPC_START_DEFAULT)) return unknown(number);
  auto method = static_cast<mpc_start_method>(number);
  mpc_start_method none = MPC_START_DEFAULT;
  if (force) {
    chosen.store(method);
  } else if (!chosen.compare_exchange_strong(none, method)) {
    return failure(MPC_ESTATE, "the start method is %s already; pass force to change it",
                   start_method_name(none));
  }
  return {};
}

mpc_start_method start_method_get(bool allow_none) {
  if (!allow_none) {
    mpc_start_method none = MPC_START_DEFAULT;
    chosen.compare_exchange_strong(none, kStartMethods.front());
  }
  return chosen.load();
}

Result<mpc_start_method> start_method_of(uint32_t option) {
  if (option == MPC_START_DEFAULT) return start_method_get(false);
  if (!known(option)) return unknown(option);
  return static_cast<mpc_start_method>(option);
}

}  // namespace mpc
