// SPDX-License-Identifier: Apache-2.0
// Doing what was chosen to be preloaded, in the fork server, before it has anything of its own.
//
// What is loaded and run may do anything. What it does to memory is what it is for; all else that
// children would have from the server is put back: descriptors, handlers, standard input, text that
// is not written yet. (Umask, folder, environment and so on are made the creator's in each child.)
#ifndef MPC_PROCESS_PRELOAD_RUN_HPP
#define MPC_PROCESS_PRELOAD_RUN_HPP

#include <string>

#include "process/preload.hpp"

namespace mpc {

struct PreloadOutcome {
  std::string failure;    // empty: all went well. Of the first thing that failed.
  bool unusable = false;  // no child must come out of this process
};

// `doing`, of `room` bytes, says what is being done, for who finds this process dead or hanging.
PreloadOutcome preload_run(const Preload& preload, char* doing, size_t room);

}  // namespace mpc

#endif
