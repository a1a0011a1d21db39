// SPDX-License-Identifier: Apache-2.0
// A fresh image as a child of this process.
#ifndef MPC_PROCESS_LAUNCH_IMAGE_HPP
#define MPC_PROCESS_LAUNCH_IMAGE_HPP

#include <string>
#include <utility>
#include <vector>

#include "base/result.hpp"

namespace mpc {

struct ImageStart {
  std::string path;
  std::vector<char*> arguments;  // ends in a null pointer, as does the environment
  std::vector<char*> environment;
  // Descriptors of this process under the numbers that they have there. No source is a target. All
  // other numbers above standard error are closed there; standard input is /dev/null unless given.
  std::vector<std::pair<int, int>> descriptors;
  bool leads_group = false;  // of processes, its own from the start on
};

// By posix_spawn(), which costs the same however large this process is; by fork() and execve()
// where a sandbox has not heard of the system calls that the C library makes for that one. Its pid.
Result<int32_t> launch_image(const ImageStart& start);

}  // namespace mpc

#endif
