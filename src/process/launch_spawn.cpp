// SPDX-License-Identifier: Apache-2.0
// The start method `spawn`: a fresh image that is taken over.
#include <unistd.h>

#include <utility>

#include "process/function_name.hpp"
#include "process/handout.hpp"
#include "process/image.hpp"
#include "process/launch_image.hpp"
#include "process/launcher.hpp"
#include "process/secure_image.hpp"

namespace mpc {

Result<Started> launch_spawn(Group& group, const StartRequest& request) {
  FunctionName function;
  bool has_function = request.task->function != nullptr;
  if (has_function) {
    auto address = reinterpret_cast<const void*>(request.task->function);
    Result<FunctionName> named = function_name_of(address);
    if (!named) return named.error();
    function = std::move(*named);
  }
  Result<Image> image = request.image != nullptr ? Result<Image>(*request.image)
                                                 : image_for(has_function ? &function : nullptr);
  if (!image) return image.error();
  std::string path = image_file(*image);
  if (Result<void> begins = image_check_not_secure(*image, path); !begins) return begins.error();
  Result<Handout> handout =
      Handout::make(group, request, has_function ? &function : nullptr, image->preloads);
  if (!handout) return handout.error();

  std::string name = request.child.name;
  ImageStart start;
  start.path = std::move(path);
  start.arguments = {image->argument0.data(), image->names_child ? name.data() : nullptr, nullptr};
  std::string preload = image->preloads ? image_preload() : "";
  add_environment(start, environ, preload);
  if (!preload.empty()) start.environment.push_back(preload.data());
  if (request.setup != nullptr) {
    start.descriptors = request.setup->descriptors.passed();
    start.leads_group = request.setup->wanted->process_group == MPC_PROCESS_GROUP_NEW;
  }
  handout->give(start);
  Result<int32_t> pid = launch_image(start);
  if (!pid) return pid.error();
  return Started{*pid, handout->message()};
}

}  // namespace mpc
