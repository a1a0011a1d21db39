// SPDX-License-Identifier: Apache-2.0
#include "process/image.hpp"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/local_lock.hpp"
#include "os/loaded_object.hpp"
#include "process/takeover.hpp"

namespace mpc {
namespace {

constexpr char kOwnImage[] = "/proc/self/exe";

std::string library_path() {
  std::optional<LoadedObject> library =
      loaded_object_at(reinterpret_cast<const void*>(library_path));
  return library ? library->path : std::string();
}

// The helper that runs functions of shared libraries. Beside the library in a build, below it where
// it is installed; last where it was meant to be installed.
Result<std::string> worker_path() {
  std::string library = library_path();
  std::string folder = library.substr(0, library.rfind('/') + 1);
  for (const std::string& path :
       {folder + "mpc-worker", folder + "libmpc/mpc-worker", std::string(MPC_WORKER_PATH)}) {
    if (access(path.c_str(), X_OK) == 0) return path;
  }
  return failure(
      MPC_EFUNCTION,
      "mpc-worker, which runs functions of shared libraries, is neither beside %s nor in "
      "%s",
      library.c_str(), MPC_WORKER_PATH);
}

// By the link in /proc, which is good even where the file was replaced; else by its name.
std::string own_image() {
  if (access(kOwnImage, X_OK) == 0) return kOwnImage;
  std::optional<LoadedObject> program = loaded_program();
  return program ? program->path : std::string(kOwnImage);
}

std::string& executable() {
  static auto* path = new std::string;
  return *path;
}

}  // namespace

Result<void> image_set_executable(std::string path) {
  if (!path.empty() && access(path.c_str(), X_OK) != 0) {
    return system_failure(("executing " + path).c_str(), errno);
  }
  LocalLock lock;
  executable() = std::move(path);
  return {};
}

Result<Image> image_for(const void* function) {
  if (function == nullptr) return image_for(static_cast<const FunctionName*>(nullptr));
  Result<FunctionName> name = function_name_of(function);
  if (!name) return name.error();
  return image_for(&*name);
}

Result<Image> image_for(const FunctionName* function) {
  // A name alone can only be known to the program; a library that was loaded since has the file
  // too.
  bool own = function == nullptr ? static_cast<bool>(takeover_possible())
                                 : function->in_program || (function->build_id.empty() &&
                                                            !function->registered.empty());
  Image image;
  {
    LocalLock lock;
    image.path = executable();
  }
  if (!image.path.empty()) {
    image.argument0 = image.path;
    return image;
  }
  if (own) {
    if (Result<void> possible = takeover_possible(); !possible) return possible.error();
    image.path = own_image();
    image.argument0 = program_invocation_name;
    return image;
  }
  Result<std::string> worker = worker_path();
  if (!worker) return worker.error();
  image.path = std::move(*worker);
  image.argument0 = "mpc-worker";
  image.names_child = true;
  return image;
}

}  // namespace mpc
