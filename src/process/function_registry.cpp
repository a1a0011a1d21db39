// SPDX-License-Identifier: Apache-2.0
#include "process/function_registry.hpp"

#include <functional>
#include <map>

#include "base/local_lock.hpp"
#include "os/loaded_object.hpp"

namespace mpc {
namespace {

struct Registry {
  std::map<std::string, const void*, std::less<>> functions;
  std::map<const void*, const std::string*> names;  // into `functions`
};

// Made by the first call, which may come before this library's own turn among the constructors, and
// never destroyed: the exit of the program may still start processes. Under LocalLock.
Registry& registry() {
  static auto* registry = new Registry;
  return *registry;
}

Result<void> enter(std::string_view name, const void* function) {
  LocalLock lock;
  Registry& known = registry();
  auto at = known.functions.find(name);
  if (at == known.functions.end()) {
    at = known.functions.emplace(std::string(name), function).first;
  } else if (at->second != function) {
    return failure(MPC_ESTATE, "another function is registered as '%s'", at->first.c_str());
  }
  // Also for a name that is there: memory may have run out in between.
  known.names.emplace(function, &at->first);
  return {};
}

}  // namespace

Result<void> function_register(std::string_view name, const void* function) {
  if (name.empty() || name.size() > kLongestFunctionName) {
    return failure(MPC_EINVAL, "the name of a function has 1 to %zu bytes, not %zu",
                   kLongestFunctionName, name.size());
  }
  if (function == nullptr) return failure(MPC_EINVAL, "function is NULL");
  Result<void> entered = enter(name, function);
  // Not under LocalLock: the loader's lock is held round the constructors that call this.
  if (entered) keep_loaded(function);
  return entered;
}

const void* function_registered(std::string_view name) {
  LocalLock lock;
  auto at = registry().functions.find(name);
  return at == registry().functions.end() ? nullptr : at->second;
}

std::string function_registered_name(const void* function) {
  LocalLock lock;
  auto at = registry().names.find(function);
  return at == registry().names.end() ? std::string() : *at->second;
}

}  // namespace mpc
