// SPDX-License-Identifier: Apache-2.0
// The start method `fork`. In the child nothing runs before its function but what child.cpp lists.
#include <errno.h>
#include <sys/single_threaded.h>
#include <unistd.h>

#include "base/child_page.hpp"
#include "group/participant.hpp"
#include "os/signals.hpp"
#include "process/child.hpp"
#include "process/launcher.hpp"

namespace mpc {

MPC_CHILD_CODE Result<Started> launch_fork(Group& group, const StartRequest& request) {
  pid_t pid = fork();
  if (pid == 0) run_child(group, request);
  // Found out here while the kernel brings the child up. With other threads the handlers may have
  // changed since the fork: then the child looks itself.
  if (pid > 0 && __libc_single_threaded != 0) {
    participant_note_signals(group, request.record, signals_handled());
  }
  if (pid < 0) return no_process_failure("fork", errno);
  return Started{pid, 0};
}

}  // namespace mpc
