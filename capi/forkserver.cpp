// SPDX-License-Identifier: Apache-2.0
#include <mpc/forkserver.h>

#include "boundary.hpp"
#include "process/function_name.hpp"
#include "process/packed_function.hpp"
#include "process/preload.hpp"

namespace mpc {
namespace {

constexpr int64_t kDefaultTimeout = int64_t{30} * 1000000000;

Result<Preload> preload_of(const mpc_preload_options& options) {
  Preload preload;
  if (options.reserved != 0) return failure(MPC_EINVAL, "mpc_preload_options.reserved is not 0");
  if (options.on_error > MPC_PRELOAD_FAIL) {
    return failure(MPC_EINVAL, "%u is no mpc_preload_errors", options.on_error);
  }
  if (options.libraries == nullptr && options.library_count > 0) return null_argument("libraries");
  for (size_t i = 0; i < options.library_count; ++i) {
    const char* library = options.libraries[i];
    if (library == nullptr || *library == '\0') {
      return failure(MPC_EINVAL, "library %zu is %s", i, library == nullptr ? "NULL" : "empty");
    }
    preload.libraries.emplace_back(library);
  }
  if (options.init != nullptr) {
    Result<FunctionName> name = function_name_of(reinterpret_cast<const void*>(options.init));
    if (!name) return name.error();
    preload.init = function_pack(*name);
  }
  preload.on_error = static_cast<PreloadErrors>(options.on_error);
  preload.timeout_ns = options.timeout_ns == 0 ? kDefaultTimeout : options.timeout_ns;
  return preload;
}

}  // namespace
}  // namespace mpc

extern "C" {

mpc_status mpc_forkserver_preload_set(const mpc_preload_options* options) {
  return mpc::guarded([&]() -> mpc::Result<void> {
    mpc::Result<mpc_preload_options> taken =
        mpc::take_options(options, sizeof(mpc_preload_options));
    if (!taken) return taken.error();
    mpc::Result<mpc::Preload> chosen = mpc::preload_of(*taken);
    if (!chosen) return chosen.error();
    mpc::preload_choose(mpc::preload_pack(*chosen));
    return {};
  });
}

}  // extern "C"
