// SPDX-License-Identifier: Apache-2.0
// The process that started this one.
#ifndef MPC_PROCESS_PARENT_HPP
#define MPC_PROCESS_PARENT_HPP

#include "base/deadline.hpp"
#include "base/result.hpp"
#include "process/self.hpp"

namespace mpc {

struct Parent {
  int32_t pid;
  uint64_t identity;  // os/identity.hpp; 0: unknown
  std::string name;

  bool alive() const;
  // True once it has ended; false when the deadline is past.
  bool join(Deadline deadline) const;
};

// MPC_ESTATE in a process that this library did not start.
Result<Parent> parent();

}  // namespace mpc

#endif
