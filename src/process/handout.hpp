// SPDX-License-Identifier: Apache-2.0
// What a fresh image gets from this library: the ticket, and the descriptors that it names.
#ifndef MPC_PROCESS_HANDOUT_HPP
#define MPC_PROCESS_HANDOUT_HPP

#include <string>
#include <vector>

#include "base/fd.hpp"
#include "process/launch_image.hpp"
#include "process/launcher.hpp"
#include "process/start_ticket.hpp"

namespace mpc {

struct FunctionName;

class Handout {
 public:
  // With the start message, which is the child's record's from then on. `preloaded`: see the
  // ticket.
  static Result<Handout> make(Group& group, const StartRequest& request,
                              const FunctionName* function, bool preloaded);

  uint64_t message() const { return ticket_.message; }

  // Adds descriptors and tie, and the ticket to the environment, which ends in a null pointer then.
  // What is added lives as long as this.
  void give(ImageStart& start);

 private:
  StartTicket ticket_;
  std::string entry_;
  Fd memory_;
  Fd tie_;
  Fd key_;
};

// The entries of an environment, without those by which this process itself, or one before it, was
// started, and without a variable that is replaced ("NAME=..."; "": none).
void add_environment(ImageStart& start, char* const* environment, const std::string& replaced = "");

}  // namespace mpc

#endif
