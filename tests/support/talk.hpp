// SPDX-License-Identifier: Apache-2.0
// What a process and its child tell each other, and children that do no more than that.
#ifndef MPC_TESTS_SUPPORT_TALK_HPP
#define MPC_TESTS_SUPPORT_TALK_HPP

#include <mpc/mpc.h>

#include "support/wait.hpp"

namespace mpc::test {

struct Talk {
  Count ready;   // the child runs
  Count go;      // the child may end
  Count number;  // whatever the child has to tell
  char text[200] = "";
  char more[200] = "";
  uint32_t method = MPC_START_DEFAULT;  // for the child's own children
};

// Both are given a pointer to a Talk. The first returns 3 when it is told to, the other never.
int wait_to_be_told(const void* argument, size_t size, const mpc_ref* refs, size_t ref_count);
int wait_for_a_signal(const void* argument, size_t size, const mpc_ref* refs, size_t ref_count);

int return_five(const void* argument, size_t size, const mpc_ref* refs, size_t ref_count);
int return_seven(const void* argument, size_t size, const mpc_ref* refs, size_t ref_count);

// Options with the pointer as the argument; they borrow it.
mpc_process_options options_with(Talk* const& talk, uint32_t method);
mpc_process_options options_with(Talk* const&& talk, uint32_t method) = delete;

}  // namespace mpc::test

#endif
