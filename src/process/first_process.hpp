// SPDX-License-Identifier: Apache-2.0
// The first process of the tree that this one belongs to (self.hpp says what for).
#ifndef MPC_PROCESS_FIRST_PROCESS_HPP
#define MPC_PROCESS_FIRST_PROCESS_HPP

#include "group/group.hpp"
#include "process/self.hpp"

namespace mpc {

// Where this process is the first itself, or has outlived that one (it was detached), `own` is
// where its children tie themselves to.
FirstProcess first_process(const Group& group, const LifelineAddress& own);

}  // namespace mpc

#endif
