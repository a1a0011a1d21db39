// SPDX-License-Identifier: Apache-2.0
// The fork server's own side.
#ifndef MPC_PROCESS_SUPERVISOR_HPP
#define MPC_PROCESS_SUPERVISOR_HPP

#include <string>

#include "process/launcher.hpp"
#include "process/self.hpp"

namespace mpc {

// What the intermediate process runs whose child the server is.
struct ServerStart {
  uint64_t birth = 0;  // offset of the ServerBirth
  FirstProcess first;  // whose life it is tied to
  FirstProcess maker;  // who has it made, and is it where the root cannot be tied to
  std::string purpose;
  std::string preload;  // preload_pack()
};
Task server_task(const ServerStart& start);

}  // namespace mpc

#endif
