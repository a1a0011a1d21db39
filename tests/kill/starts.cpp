// SPDX-License-Identifier: Apache-2.0
#include "starts.hpp"

#include <sys/resource.h>
#include <time.h>

#include <cstring>

#include "fault.hpp"
#include "operation.hpp"
#include "started.hpp"

namespace kill_tests {
namespace {

int work(const void*, size_t, const mpc_ref* refs, size_t) {
  void* block;
  mpc_block* shared;
  must(mpc_group_alloc(1000, &block), "mpc_group_alloc");
  must(mpc_block_attach(refs, &shared), "mpc_block_attach");
  must(mpc_block_detach(shared), "mpc_block_detach");
  return kReturned;
}
const Started work_started("survivor's child", work);

}  // namespace

std::vector<mpc_start_method> start_methods() {
  return {MPC_START_FORK, MPC_START_SPAWN, MPC_START_FORKSERVER, MPC_START_PROGRAM};
}

mpc_start_method start_method_named(const char* name) {
  for (mpc_start_method method : start_methods()) {
    if (strcmp(mpc_start_method_name(method), name) == 0) return method;
  }
  return MPC_START_DEFAULT;
}

mpc_status create_stranger(bool waits, mpc_process_options options, mpc_process** out_process) {
  constexpr mpc_limit kFewFiles{RLIMIT_NOFILE, 0, 77, 77};
  const char* arguments[] = {"77", nullptr};
  options.start_method = MPC_START_PROGRAM;
  options.program = KILL_STRANGER;
  if (!waits) options.arguments = arguments;
  options.limits = &kFewFiles;
  options.limit_count = 1;
  return mpc_process_create(nullptr, &options, out_process);
}

void start_and_join(mpc_start_method method, uint32_t times) {
  mpc_block* block;
  mpc_ref ref;
  expect_ok(mpc_block_create(1000, &block), "mpc_block_create");
  expect_ok(mpc_block_ref(block, &ref), "mpc_block_ref");
  mpc_process_options options = MPC_PROCESS_OPTIONS_INIT;
  options.start_method = method;
  options.refs = &ref;
  options.ref_count = 1;
  for (uint32_t i = 0; i < times; ++i) {
    mpc_process* process;
    int exit_code = 0;
    bool strange = method == MPC_START_PROGRAM && i % 2 == 1;
    expect_ok(strange ? create_stranger(false, options, &process)
                      : create(work_started, options, &process),
              "mpc_process_create");
    expect_ok(mpc_process_start(process), "mpc_process_start");
    expect_ok(mpc_process_join(process, MPC_FOREVER), "mpc_process_join");
    expect_ok(mpc_process_exit_code(process, &exit_code), "mpc_process_exit_code");
    if (exit_code != kReturned) fault("a survivor's child ended with %d", exit_code);
    expect_ok(mpc_process_destroy(process), "mpc_process_destroy");
  }
  expect_ok(mpc_block_destroy(block), "mpc_block_destroy");
}

double now_ms() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

void nap_ms(double milliseconds) {
  auto ns = static_cast<int64_t>(milliseconds * 1e6);
  timespec nap{ns / 1000000000, ns % 1000000000};
  nanosleep(&nap, nullptr);
}

}  // namespace kill_tests
