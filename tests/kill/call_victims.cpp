// SPDX-License-Identifier: Apache-2.0
#include "call_victims.hpp"

#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "call_tracer.hpp"
#include "operation.hpp"
#include "started.hpp"
#include "starts.hpp"

namespace kill_tests {
namespace {

// Counts itself in the block.
mpc_block* begin(const mpc_ref* refs) {
  mpc_block* shared;
  must(mpc_block_attach(refs, &shared), "mpc_block_attach");
  __atomic_fetch_add(static_cast<uint32_t*>(mpc_block_address(shared)), 1, __ATOMIC_RELAXED);
  return shared;
}

int wait_for_the_end(const void*, size_t, const mpc_ref* refs, size_t) {
  begin(refs);
  for (;;) pause();
}
const Started waiting("victim's child that waits", wait_for_the_end);

// Takes memory and an object, and leaves the one behind.
int work(const void*, size_t, const mpc_ref* refs, size_t) {
  void* block;
  mpc_block* shared = begin(refs);
  must(mpc_group_alloc(1000, &block), "mpc_group_alloc");
  must(mpc_block_detach(shared), "mpc_block_detach");
  return kReturned;
}
const Started working("victim's child that works", work);

int nothing(const void*, size_t, const mpc_ref*, size_t) { return 0; }
const Started idle("victim's first child", nothing);

// Is under way when its parent exits, which has to wait for it.
int work_slowly(const void* argument, size_t size, const mpc_ref* refs, size_t count) {
  timespec nap{0, 5000000};
  nanosleep(&nap, nullptr);
  return work(argument, size, refs, count);
}
const Started working_slowly("victim's child that works slowly", work_slowly);

mpc_process_options options_with(const mpc_ref& shared) {
  mpc_process_options options = MPC_PROCESS_OPTIONS_INIT;
  options.refs = &shared;
  options.ref_count = 1;
  return options;
}

mpc_process* make(mpc_start_method method, const Started& started, const mpc_ref& shared,
                  uint32_t daemon) {
  mpc_process_options options = options_with(shared);
  options.start_method = method;
  options.daemon = daemon;
  mpc_process* process;
  must(create(started, options, &process), "mpc_process_create");
  return process;
}

mpc_process* make_stranger(bool waits, const mpc_ref& shared) {
  mpc_process* process;
  must(create_stranger(waits, options_with(shared), &process), "mpc_process_create");
  return process;
}

void start(mpc_process* process) { must(mpc_process_start(process), "mpc_process_start"); }

void join(mpc_process* process) {
  must(mpc_process_join(process, MPC_FOREVER), "mpc_process_join");
}

void tell_end(mpc_process* process, Told& told) {
  int exit_code = 0;
  must(mpc_process_exit_code(process, &exit_code), "mpc_process_exit_code");
  must(mpc_process_destroy(process), "mpc_process_destroy");
  told.exit_code = exit_code;
  told.told = 1;
}

// A fork server is there already.
void warm_up(mpc_start_method method, const mpc_ref& shared) {
  if (method != MPC_START_FORKSERVER) return;
  mpc_process* process = make(method, idle, shared, 0);
  start(process);
  join(process);
  must(mpc_process_destroy(process), "mpc_process_destroy");
}

void live_start(mpc_start_method method, const mpc_ref& shared, Told& told) {
  must(mpc_group_join(), "mpc_group_join");
  mpc_process* process = make(method, waiting, shared, 0);
  mark();
  start(process);
  mark();
  must(mpc_process_kill(process), "mpc_process_kill");
  join(process);
  tell_end(process, told);
}

void live_join(mpc_start_method method, const mpc_ref& shared, Told& told) {
  must(mpc_group_join(), "mpc_group_join");
  warm_up(method, shared);
  mpc_process* process = make(method, working, shared, 0);
  mark();
  start(process);
  join(process);
  mark();
  tell_end(process, told);
}

void live_terminate(mpc_start_method method, const mpc_ref& shared, Told& told) {
  must(mpc_group_join(), "mpc_group_join");
  mpc_process* process = make(method, waiting, shared, 0);
  start(process);
  mark();
  must(mpc_process_terminate(process), "mpc_process_terminate");
  join(process);
  mark();
  tell_end(process, told);
}

// The daemon is terminated, the other one waited for.
void live_exit(mpc_start_method method, const mpc_ref& shared, Told& told) {
  must(mpc_group_join(), "mpc_group_join");
  start(make(method, waiting, shared, 1));
  start(make(method, working_slowly, shared, 0));
  told.told = 1;
  mark();
  exit(0);
}

// It ends by itself.
void live_stranger(mpc_start_method, const mpc_ref& shared, Told& told) {
  must(mpc_group_join(), "mpc_group_join");
  mpc_process* process = make_stranger(false, shared);
  mark();
  start(process);
  join(process);
  mark();
  tell_end(process, told);
}

// It ends only as its parent says, or with it.
void live_tied_stranger(mpc_start_method, const mpc_ref& shared, Told& told) {
  must(mpc_group_join(), "mpc_group_join");
  mpc_process* process = make_stranger(true, shared);
  mark();
  start(process);
  must(mpc_process_terminate(process), "mpc_process_terminate");
  join(process);
  mark();
  tell_end(process, told);
}

}  // namespace

const std::vector<VictimWork>& victim_works(mpc_start_method method) {
  static const std::vector<VictimWork> works = {
      {"start", live_start, 1, -SIGKILL},
      {"join", live_join, 1, kReturned},
      {"terminate", live_terminate, 1, -SIGTERM},
      {"exit", live_exit, 2, 0},
  };
  static const std::vector<VictimWork> works_of_programs = [] {
    std::vector<VictimWork> all = works;
    all.push_back({"stranger", live_stranger, 0, kReturned});
    all.push_back({"tied", live_tied_stranger, 0, -SIGTERM});
    return all;
  }();
  return method == MPC_START_PROGRAM ? works_of_programs : works;
}

}  // namespace kill_tests
