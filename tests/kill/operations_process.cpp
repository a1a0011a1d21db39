// SPDX-License-Identifier: Apache-2.0
// Starting a process: the one that starts is killed, or the one that is started.
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vector>

#include "child_campaign.hpp"
#include "fault.hpp"
#include "operation.hpp"

namespace kill_tests {
namespace {

int wait_for_the_end(const void*, size_t, const mpc_ref*, size_t) {
  for (;;) pause();
}

int seven(const void*, size_t, const mpc_ref*, size_t) {
  void* block;
  must(mpc_group_alloc(1000, &block), "mpc_group_alloc");
  return 7;
}

// A starter dies: nothing that it started outlives it.
class Start : public Case {
 public:
  void set_up() override {
    must(mpc_group_join(), "mpc_group_join");
    must(mpc_block_create(1000, &block_), "mpc_block_create");
    must(mpc_block_ref(block_, &notes().ref), "mpc_block_ref");
    mpc_process_options options = MPC_PROCESS_OPTIONS_INIT;
    options.refs = &notes().ref;
    options.ref_count = 1;
    must(mpc_process_create(wait_for_the_end, &options, &process_), "mpc_process_create");
  }
  void operate() override { must(mpc_process_start(process_), "mpc_process_start"); }
  void finish() override {
    must(mpc_process_kill(process_), "mpc_process_kill");
    must(mpc_process_join(process_, MPC_FOREVER), "mpc_process_join");
    int exit_code = 0;
    must(mpc_process_exit_code(process_, &exit_code), "mpc_process_exit_code");
    if (exit_code != -SIGKILL) _exit(101);
    must(mpc_process_destroy(process_), "mpc_process_destroy");
    must(mpc_block_detach(block_), "mpc_block_detach");
    must(mpc_group_leave(), "mpc_group_leave");
  }
  void born(pid_t child) override { child_ = child; }
  // The orphan comes to the driver, which sees it end.
  Committed settle(bool died) override {
    if (!died || child_ == 0) return Committed::kUnknown;
    while (waitpid(child_, nullptr, 0) < 0) {
      if (errno != EINTR) fault("the orphan %d did not come to the driver", child_);
    }
    expect_ok(mpc_group_sweep(nullptr), "mpc_group_sweep");
    return Committed::kUnknown;
  }

 private:
  mpc_process* process_ = nullptr;
  mpc_block* block_ = nullptr;
  pid_t child_ = 0;
};

void start_and_join(uint32_t times) {
  for (uint32_t i = 0; i < times; ++i) {
    mpc_process* process;
    int exit_code = -1;
    expect_ok(mpc_process_create(seven, nullptr, &process), "mpc_process_create");
    expect_ok(mpc_process_start(process), "mpc_process_start");
    expect_ok(mpc_process_join(process, MPC_FOREVER), "mpc_process_join");
    expect_ok(mpc_process_exit_code(process, &exit_code), "mpc_process_exit_code");
    if (exit_code != 7) fault("a process that returned 7 ended with %d", exit_code);
    expect_ok(mpc_process_destroy(process), "mpc_process_destroy");
  }
}

}  // namespace

std::vector<Operation> process_operations() {
  return {{"process.start", [] { return std::make_unique<Start>(); }, start_and_join, 1000, 10000,
           true},
          child_campaign()};
}

}  // namespace kill_tests
