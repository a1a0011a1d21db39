// SPDX-License-Identifier: Apache-2.0
#include <mpc/function.h>

#include "boundary.hpp"
#include "process/function_registry.hpp"
#include "process/image.hpp"

extern "C" {

mpc_status mpc_function_register(const char* name, mpc_function function) {
  return mpc::guarded([&]() -> mpc::Result<void> {
    if (name == nullptr) return mpc::null_argument("name");
    return mpc::function_register(name, reinterpret_cast<const void*>(function));
  });
}

mpc_status mpc_function_find(const char* name, mpc_function* out_function) {
  return mpc::guarded([&]() -> mpc::Result<void> {
    if (name == nullptr) return mpc::null_argument("name");
    if (out_function == nullptr) return mpc::null_argument("out_function");
    const void* function = mpc::function_registered(name);
    if (function == nullptr) {
      return mpc::failure(MPC_EFUNCTION, "no function is registered as '%.*s' in this process",
                          static_cast<int>(mpc::kLongestFunctionName), name);
    }
    *out_function = reinterpret_cast<mpc_function>(const_cast<void*>(function));
    return {};
  });
}

mpc_status mpc_executable_set(const char* path) {
  return mpc::guarded([&]() -> mpc::Result<void> {
    if (path != nullptr && *path == '\0') {
      return mpc::failure(MPC_EINVAL, "path is empty; NULL is the program's own image");
    }
    return mpc::image_set_executable(path != nullptr ? path : "");
  });
}

size_t mpc_executable_get(char* buffer, size_t capacity) {
  mpc::CallScope scope;
  return mpc::copy_text(mpc::image_executable().c_str(), buffer, capacity);
}

}  // extern "C"
