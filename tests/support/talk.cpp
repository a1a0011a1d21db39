// SPDX-License-Identifier: Apache-2.0
#include "support/talk.hpp"

#include <unistd.h>

namespace mpc::test {

int wait_to_be_told(const void* argument, size_t, const mpc_ref*, size_t) {
  Talk* talk = *static_cast<Talk* const*>(argument);
  talk->ready.add();
  return talk->go.reaches(1) ? 3 : 1;
}

int wait_for_a_signal(const void* argument, size_t, const mpc_ref*, size_t) {
  (*static_cast<Talk* const*>(argument))->ready.add();
  for (;;) pause();
}

int return_five(const void*, size_t, const mpc_ref*, size_t) { return 5; }
int return_seven(const void*, size_t, const mpc_ref*, size_t) { return 7; }

mpc_process_options options_with(Talk* const& talk, uint32_t method) {
  mpc_process_options options = MPC_PROCESS_OPTIONS_INIT;
  options.start_method = method;
  options.argument = &talk;
  options.argument_size = sizeof talk;
  return options;
}

}  // namespace mpc::test
