// SPDX-License-Identifier: Apache-2.0
// The fork server's own side.
#ifndef MPC_PROCESS_SUPERVISOR_HPP
#define MPC_PROCESS_SUPERVISOR_HPP

#include <string>
#include <vector>

#include "os/lifeline.hpp"
#include "process/launcher.hpp"

namespace mpc {

// What the intermediate process runs whose child the server is.
struct ServerStart {
  uint64_t control = 0;  // offset of the ServerControl
  LifelineAddress owner;
};
Task server_task(const ServerStart& start);

}  // namespace mpc

#endif
