// SPDX-License-Identifier: Apache-2.0
#include "process/image.hpp"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/local_lock.hpp"
#include "os/loaded_object.hpp"
#include "process/takeover.hpp"

namespace mpc {
namespace {

constexpr char kOwnImage[] = "/proc/self/exe";
constexpr char kPreload[] = "LD_PRELOAD=";

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

std::string& executable() {
  static auto* path = new std::string;
  return *path;
}

}  // namespace

Result<void> image_set_executable(const std::string& path) {
  std::string absolute = path;
  if (!path.empty() && path[0] != '/') {
    char* folder = getcwd(nullptr, 0);
    if (folder == nullptr) return system_failure("getcwd", errno);
    absolute = std::string(folder) + '/' + path;
    free(folder);
  }
  if (!path.empty() && access(absolute.c_str(), X_OK) != 0) {
    return system_failure(("executing " + absolute).c_str(), errno);
  }
  LocalLock lock;
  executable() = std::move(absolute);
  return {};
}

std::string image_executable() {
  LocalLock lock;
  return executable();
}

std::string image_preload() {
  const char* before = getenv("LD_PRELOAD");
  std::string value = kPreload + library_path();
  return before != nullptr ? value + ':' + before : value;
}

void image_forget_preload() {
  const char* now = getenv("LD_PRELOAD");
  const char* before = now != nullptr ? strchr(now, ':') : nullptr;
  if (before != nullptr) {
    setenv("LD_PRELOAD", before + 1, 1);
  } else {
    unsetenv("LD_PRELOAD");
  }
}

// By the link in /proc, which is good even where the file was replaced; else by its name.
std::string image_file(const Image& image) {
  if (image.path != kOwnImage || access(kOwnImage, X_OK) == 0) return image.path;
  std::optional<LoadedObject> program = loaded_program();
  return program ? program->path : image.path;
}

Result<Image> image_for(const void* function) {
  if (function == nullptr) return image_for(static_cast<const FunctionName*>(nullptr));
  Result<FunctionName> name = function_name_of(function);
  if (!name) return name.error();
  return image_for(&*name);
}

Result<Image> image_for(const FunctionName* function) {
  Image image;
  image.path = image_executable();
  if (!image.path.empty()) {
    image.argument0 = image.path;
    return image;
  }
  Result<Takeover> takeover = takeover_possible();
  // A name alone can only be known to the program; a library that was loaded since has the file
  // too. The worker does for nothing at all, where the program would need help.
  bool own = function == nullptr ? takeover && *takeover == Takeover::kByItself
                                 : function->in_program || (function->build_id.empty() &&
                                                            !function->registered.empty());
  if (own) {
    if (!takeover) return takeover.error();
    image.path = kOwnImage;
    image.argument0 = program_invocation_name;
    image.preloads = *takeover == Takeover::kPreloaded;
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
