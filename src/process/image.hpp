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
};

// The program's own image for a function of the program, mpc-worker for one in a shared library.
// What runs no function (null) runs in the program's too, if that can be taken over.
Result<Image> image_for(const FunctionName* function);
Result<Image> image_for(const void* function);

// Another executable than the program's own from now on; "" for its own again.
Result<void> image_set_executable(std::string path);

}  // namespace mpc

#endif
