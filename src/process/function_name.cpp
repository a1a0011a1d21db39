// SPDX-License-Identifier: Apache-2.0
#include "process/function_name.hpp"

#include <dlfcn.h>
#include <link.h>

#include <map>
#include <optional>

#include "base/child_page.hpp"
#include "base/local_lock.hpp"
#include "os/loaded_object.hpp"
#include "process/function_registry.hpp"

namespace mpc {
namespace {

// Paths are cut in the messages here: 511 bytes are to hold the whole sentence.
std::string hex(const std::string& bytes) {
  constexpr size_t kShown = 32;
  if (bytes.empty()) return "none";
  std::string text;
  for (unsigned char byte : bytes.substr(0, kShown)) {
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return bytes.size() > kShown ? text + "..." : text;
}

// The names of functions of the program, which is never unloaded: to find one out takes a tenth of
// a start. Never destroyed: the exit of the program may still start processes. Under LocalLock.
std::map<const void*, FunctionName>& known_names() {
  static auto* names = new std::map<const void*, FunctionName>;
  return *names;
}

std::optional<FunctionName> known_name(const void* function) {
  LocalLock lock;
  auto known = known_names().find(function);
  if (known == known_names().end()) return std::nullopt;
  return known->second;
}

Result<FunctionName> name_by_object(const void* function) {
  if (std::optional<FunctionName> known = known_name(function)) return *std::move(known);
  std::optional<LoadedObject> object = loaded_object_at(function);
  if (!object) {
    object = loaded_object_around(function);
    if (object) {
      return failure(MPC_EFUNCTION, "%p is data of %.250s, not a function", function,
                     object->path.c_str());
    }
    return failure(MPC_EFUNCTION,
                   "no file holds the function at %p (code generated at run time?): use fork, or "
                   "register a function in a file",
                   function);
  }
  if (object->build_id.empty()) {
    return failure(MPC_EFUNCTION,
                   "%.250s has no build id: link it with -Wl,--build-id, or register the "
                   "function by name",
                   object->path.c_str());
  }
  FunctionName name;
  name.object = std::move(object->path);
  name.build_id = std::move(object->build_id);
  name.offset = reinterpret_cast<uintptr_t>(function) - object->base;
  name.in_program = object->is_program;
  if (name.in_program) {
    LocalLock lock;
    known_names().emplace(function, name);
  }
  return name;
}

Error changed(const FunctionName& name, const std::string& build_id) {
  return failure(MPC_EFUNCTION,
                 "%.250s has build id %s, the function is of %s: the file changed since",
                 name.object.c_str(), hex(build_id).c_str(), hex(name.build_id).c_str());
}

Result<LoadedObject> object_in_program(const FunctionName& name) {
  std::optional<LoadedObject> program = loaded_program();
  std::string build_id = program ? program->build_id : std::string();
  if (build_id == name.build_id) return *std::move(program);
  if (program && program->path == name.object) return changed(name, build_id);
  return failure(MPC_EFUNCTION,
                 "the function is of the program %.200s, and this process runs %.200s; register "
                 "it by name in both, or put it in a shared library",
                 name.object.c_str(), program ? program->path.c_str() : "another");
}

Result<LoadedObject> object_loaded_now(const FunctionName& name) {
  // A name without a slash would be looked for in the loader's folders.
  if (name.object.empty() || name.object[0] != '/') {
    return failure(MPC_EFUNCTION, "'%.250s' is no absolute path of a library", name.object.c_str());
  }
  // Before any code of another build runs.
  std::string build_id = build_id_of_file(name.object.c_str());
  if (!build_id.empty() && build_id != name.build_id) return changed(name, build_id);
  // Never closed: nobody knows when the function is used last.
  void* handle = dlopen(name.object.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const char* reason = dlerror();
    return failure(MPC_EFUNCTION, "the library of the function cannot be loaded: %s",
                   reason == nullptr ? name.object.c_str() : reason);
  }
  // What is loaded may be another file than the one looked at: exchanged in between, or loaded by
  // the same path before it was exchanged.
  link_map* map = nullptr;
  std::optional<LoadedObject> object;
  if (dlinfo(handle, RTLD_DI_LINKMAP, &map) == 0) object = loaded_object_around(map->l_ld);
  if (!object || object->build_id != name.build_id) {
    dlclose(handle);
    return changed(name, object ? object->build_id : std::string());
  }
  return *std::move(object);
}

Result<LoadedObject> object_of(const FunctionName& name) {
  if (name.in_program) return object_in_program(name);
  std::optional<LoadedObject> object = loaded_object_with(name.build_id, name.object);
  if (object) return *std::move(object);
  return object_loaded_now(name);
}

}  // namespace

Result<FunctionName> function_name_of(const void* function) {
  if (function == nullptr) return failure(MPC_EFUNCTION, "the function is NULL");
  std::string registered = function_registered_name(function);
  Result<FunctionName> name = name_by_object(function);
  if (registered.empty()) return name;
  // A registered name is enough, and goes further: it also means the function in another build. The
  // file helps where it is a library that the other process has not loaded.
  if (!name) name = FunctionName();
  name->registered = std::move(registered);
  return name;
}

const void* function_found_loaded(const FunctionName& name) {
  bool loads =
      !name.in_program && !name.build_id.empty() && !loaded_object_with(name.build_id, name.object);
  if (loads && (name.registered.empty() || function_registered(name.registered) == nullptr)) {
    return nullptr;
  }
  Result<const void*> function = function_found(name);
  return function ? *function : nullptr;
}

MPC_CHILD_CODE Result<const void*> function_found(const FunctionName& name) {
  if (!name.registered.empty()) {
    const void* function = function_registered(name.registered);
    if (function != nullptr) return function;
  }
  if (name.build_id.empty()) {
    return failure(MPC_EFUNCTION,
                   "no function is registered as '%s' in this process: register it before main(), "
                   "with MPC_REGISTER_FUNCTION",
                   name.registered.c_str());
  }
  if (name.in_program) {
    // The same in most fresh images; what follows says what is wrong where it is not.
    if (const void* function = program_code_at(name.build_id, name.offset)) return function;
  }
  Result<LoadedObject> object = object_of(name);
  if (!object) return object.error();
  auto function = reinterpret_cast<const void*>(object->base + name.offset);
  std::optional<LoadedObject> holder = loaded_object_at(function);
  if (!holder || holder->base != object->base || holder->path != object->path) {
    return failure(MPC_EFUNCTION, "no code is at offset %#llx of %.250s",
                   static_cast<unsigned long long>(name.offset), name.object.c_str());
  }
  return function;
}

}  // namespace mpc
