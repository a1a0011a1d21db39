// SPDX-License-Identifier: Apache-2.0
#include "family_tree.hpp"

#include <linux/futex.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "operation.hpp"
#include "started.hpp"
#include "starts.hpp"

namespace kill_tests {
namespace {

static_assert(kExitSignal == SIGUSR1 && kAbortSignal == SIGUSR2);

struct Place {
  uint32_t member;
  mpc_start_method method;  // of the first generation
};

FamilyBoard* board_of(const mpc_ref& ref) {
  mpc_block* block;
  must(mpc_block_attach(&ref, &block), "mpc_block_attach");
  return static_cast<FamilyBoard*>(mpc_block_address(block));
}

int live_detached(const void* argument, size_t, const mpc_ref* refs, size_t) {
  // Known before it leaves the family's process group, so that it is never missed.
  auto& told = board_of(*refs)->detached[static_cast<const Place*>(argument)->member];
  told.store(getpid());
  syscall(SYS_futex, &told, FUTEX_WAKE, 1, nullptr, nullptr, 0);
  setpgid(0, 0);
  for (;;) pause();
}
const Started detached_started("detached", live_detached);

int live_as_member(const void* argument, size_t, const mpc_ref* refs, size_t);
const Started member_started("member", live_as_member);

mpc_process_options options_for(const mpc_ref& ref, const Place& place, uint32_t number) {
  std::vector<mpc_start_method> methods = start_methods();
  mpc_process_options options = MPC_PROCESS_OPTIONS_INIT;
  options.start_method =
      generation_of(number) == 1 ? place.method : methods[number % methods.size()];
  options.argument = &place;
  options.argument_size = sizeof place;
  options.refs = &ref;
  options.ref_count = 1;
  return options;
}

void start(FamilyBoard& board, mpc_process* process) {
  board.begun.fetch_add(1);
  must(mpc_process_start(process), "mpc_process_start");
  board.done.fetch_add(1);
}

void start_detached(FamilyBoard& board, const mpc_ref& ref, const Place& place) {
  mpc_process_options options = options_for(ref, place, place.member + 1);
  options.detach = 1;
  mpc_process* process;
  must(create(detached_started, options, &process), "mpc_process_create");
  start(board, process);
}

void start_member(FamilyBoard& board, const mpc_ref& ref, const Place& place) {
  mpc_process_options options = options_for(ref, place, place.member);
  bool strange =
      options.start_method == MPC_START_PROGRAM && generation_of(place.member) == kGenerations;
  mpc_process* process;
  must(strange ? create_stranger(true, options, &process)
               : create(member_started, options, &process),
       "mpc_process_create");
  start(board, process);
  if (!strange) return;
  int32_t pid = 0;
  must(mpc_process_pid(process, &pid), "mpc_process_pid");
  board.pids[place.member].store(pid);
}

[[noreturn]] void live(FamilyBoard& board, const mpc_ref& ref, const Place& place) {
  signal(kExitSignal, [](int) { _exit(3); });
  signal(kAbortSignal, [](int) { abort(); });
  board.pids[place.member].store(getpid());
  if (place.member < kDetached) {
    Place detached{place.member, place.method};
    start_detached(board, ref, detached);
    auto& told = board.detached[place.member];
    while (told.load() == 0) syscall(SYS_futex, &told, FUTEX_WAIT, 0, nullptr, nullptr, 0);
  }
  for (uint32_t child = 2 * place.member + 1; child <= 2 * place.member + 2; ++child) {
    if (child >= kMembers) break;
    start_member(board, ref, Place{child, place.method});
  }
  for (;;) pause();
}

int live_as_member(const void* argument, size_t, const mpc_ref* refs, size_t) {
  Place place = *static_cast<const Place*>(argument);
  live(*board_of(*refs), *refs, place);
}

}  // namespace

void live_as_root(mpc_start_method method, const mpc_ref& board) {
  rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  must(mpc_group_join(), "mpc_group_join");
  live(*board_of(board), board, Place{0, method});
}

}  // namespace kill_tests
