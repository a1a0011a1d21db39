// SPDX-License-Identifier: Apache-2.0
// Which executable a fresh child is an image of.
#ifndef MPC_PROCESS_IMAGE_HPP
#define MPC_PROCESS_IMAGE_HPP

#include <string>

#include "process/function_name.hpp"

namespace mpc {

struct Image {
  std::string path;
  std::string argument0;
  bool names_child = false;  // its second argument is the child's name, for who lists processes
  bool preloads = false;     // it would not load this library by itself
};

// The program's own image for a function of the program, mpc-worker for one in a shared library.
// What runs no function (null) runs in the program's too, if that can be taken over.
Result<Image> image_for(const FunctionName* function);
Result<Image> image_for(const void* function);

// What to execute for it.
std::string image_file(const Image& image);

// Another executable than the program's own from now on; "" for its own again.
Result<void> image_set_executable(const std::string& path);

// Absolute; "" where none was set.
std::string image_executable();

// The variable that has an image load this library, and what was in it before.
std::string image_preload();

// In the image, before the program runs: as it was before.
void image_forget_preload();

}  // namespace mpc

#endif
