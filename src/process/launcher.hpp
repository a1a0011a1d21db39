// SPDX-License-Identifier: Apache-2.0
// What every start method is asked to do, and what it gets to do it with.
#ifndef MPC_PROCESS_LAUNCHER_HPP
#define MPC_PROCESS_LAUNCHER_HPP

#include <optional>
#include <string>
#include <vector>

#include <mpc/process.h>

#include "group/group.hpp"
#include "os/lifeline.hpp"
#include "process/self.hpp"
#include "process/start_setup.hpp"

namespace mpc {

// An executable that a child is.
struct Program {
  std::string path;
  std::vector<std::string> arguments;  // behind the path
};

// What a child runs; the result is its exit code.
struct Task {
  mpc_process_fn function = nullptr;  // null: nothing
  std::vector<char> argument;
  std::vector<mpc_ref> refs;
  std::optional<Program> program{};  // instead of a function

  int run() const {
    return function == nullptr
               ? 0
               : function(argument.data(), argument.size(), refs.data(), refs.size());
  }
};

struct Image;
struct Server;

struct StartRequest {
  Owner starter;               // who starts it
  Owner record;                // reserved for the child, with its refs attached
  Self child;                  // what it will be
  bool detach = false;         // not tied to this process's life
  bool ignore_sigint = false;  // pool workers
  Tie tie;                     // to this process
  int32_t parent_pid = 0;
  const Task* task = nullptr;
  const Server* server = nullptr;     // of the image, for `forkserver`
  const Image* image = nullptr;       // of a fresh one; null: what the task's function needs
  const StartSetup* setup = nullptr;  // null: nothing was chosen
};

struct Started {
  int32_t pid = 0;       // 0: the fork server is gone; the request can be made again of another
  uint64_t message = 0;  // offset of the StartMessage; 0: there is none
};

using Launch = Result<Started> (*)(Group& group, const StartRequest& request);

Result<Started> launch_fork(Group& group, const StartRequest& request);
Result<Started> launch_spawn(Group& group, const StartRequest& request);
Result<Started> launch_server(Group& group, const StartRequest& request);
Result<Started> launch_program(Group& group, const StartRequest& request);

inline Launch launcher_of(mpc_start_method method) {
  switch (method) {
    case MPC_START_SPAWN:
      return launch_spawn;
    case MPC_START_FORKSERVER:
      return launch_server;
    case MPC_START_PROGRAM:
      return launch_program;
    case MPC_START_FORK:
    default:
      return launch_fork;
  }
}

}  // namespace mpc

#endif
