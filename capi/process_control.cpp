// SPDX-License-Identifier: Apache-2.0
#include <signal.h>

#include <mpc/process.h>

#include "process_handle.hpp"

extern "C" {

using mpc::Process;
using mpc::Result;

mpc_status mpc_process_interrupt(mpc_process* process) {
  return mpc::guarded_on_process(process,
                                 [](Process& object) { return object.send_signal(SIGINT); });
}

mpc_status mpc_process_stop(mpc_process* process, int64_t grace_ns, mpc_stop_way* out_way) {
  return mpc::guarded_on_process(process, [&](Process& object) -> Result<void> {
    Result<mpc_stop_way> way = object.stop(grace_ns);
    if (!way) return way.error();
    if (out_way != nullptr) *out_way = *way;
    return {};
  });
}

mpc_status mpc_process_terminate_tree(mpc_process* process) {
  return mpc::guarded_on_process(
      process, [](Process& object) { return object.send_signal_to_tree(SIGTERM); });
}

mpc_status mpc_process_kill_tree(mpc_process* process) {
  return mpc::guarded_on_process(
      process, [](Process& object) { return object.send_signal_to_tree(SIGKILL); });
}

mpc_status mpc_process_sentinel(mpc_process* process, int* out_fd) {
  return mpc::guarded_on_process(process, [&](Process& object) -> Result<void> {
    if (out_fd == nullptr) return mpc::null_argument("out_fd");
    Result<mpc::Fd> sentinel = object.sentinel();
    if (!sentinel) return sentinel.error();
    *out_fd = sentinel->release();
    return {};
  });
}

mpc_status mpc_process_detach(mpc_process* process) {
  return mpc::guarded_on_process(process, [](Process& object) { return object.detach(); });
}

mpc_status mpc_process_usage_get(mpc_process* process, mpc_process_usage* usage) {
  return mpc::guarded_on_process(process, [&](Process& object) -> Result<void> {
    if (usage == nullptr) return mpc::null_argument("usage");
    size_t size = usage->struct_size;
    if (size < offsetof(mpc_process_usage, user_ns)) {
      return mpc::failure(MPC_EINVAL, "struct_size is %zu; start from MPC_PROCESS_USAGE_INIT",
                          size);
    }
    Result<mpc_process_usage> told = object.usage();
    if (!told) return told.error();
    told->struct_size = size;
    memcpy(usage, &*told, std::min(size, sizeof *usage));
    return {};
  });
}

mpc_status mpc_process_daemon(mpc_process* process, int* out_daemon) {
  return mpc::answer(process, out_daemon, [](Process& object) { return object.is_daemon(); });
}

mpc_status mpc_process_set_daemon(mpc_process* process, int daemon) {
  return mpc::guarded_on_process(process,
                                 [&](Process& object) { return object.set_daemon(daemon != 0); });
}
}
