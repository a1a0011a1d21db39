// SPDX-License-Identifier: Apache-2.0
// A fresh image as a child of this process.
#ifndef MPC_PROCESS_LAUNCH_IMAGE_HPP
#define MPC_PROCESS_LAUNCH_IMAGE_HPP

#include <string>
#include <utility>
#include <vector>

#include "base/result.hpp"

namespace mpc {

struct ProcessSetup;

struct ImageStart {
  std::string path;
  std::vector<char*> arguments;  // ends in a null pointer, as does the environment
  std::vector<char*> environment;
  // Descriptors of this process under the numbers that they have there, which are put in place in
  // this order. All other numbers above standard error are closed there; standard input is
  // /dev/null unless given.
  std::vector<std::pair<int, int>> descriptors;
  int tie = -1;              // the number there of the connection that ties the child; -1: not tied
  bool leads_group = false;  // of processes, its own from the start on
  // What the image begins with, but for descriptors and environment: for one that knows nothing of
  // this library. Null: as this process has it, or the image sees to it.
  const ProcessSetup* setup = nullptr;
};

// Its pid. What the child is told to do before the image begins, the tie included, is done before
// this returns; where any of it fails nothing is started.
//
// Costs the same however large this process is: the child has this process's memory until the image
// begins, as with vfork() and posix_spawn(), which cannot tie it. REQUIRES: one thread at a time.
Result<int32_t> launch_image(const ImageStart& start);

}  // namespace mpc

#endif
