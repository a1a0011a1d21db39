// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>

#include <mpc/base.h>

#include "base/deadline.hpp"
#include "boundary.hpp"
#include "os/cpu.hpp"

extern "C" {

const char* mpc_library_version(void) { return LIBMPC_VERSION_STRING; }

void mpc_buffer_free(mpc_buffer* buffer) {
  if (buffer == nullptr) return;
  free(buffer->data);
  buffer->data = nullptr;
  buffer->size = 0;
}

int64_t mpc_deadline_after(int64_t timeout_ns) {
  mpc::Deadline deadline = mpc::Deadline::after(timeout_ns);
  return deadline.never() ? MPC_FOREVER : deadline.ns();
}

int64_t mpc_deadline_left(int64_t deadline) {
  return deadline == MPC_FOREVER ? MPC_FOREVER : mpc::Deadline::at(deadline).left(INT64_MAX);
}

uint32_t mpc_process_cpu_count(void) {
  mpc::CallScope scope;
  return mpc::usable_cpus();
}
}
