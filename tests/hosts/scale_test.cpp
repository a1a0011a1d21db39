// SPDX-License-Identifier: Apache-2.0
// How many processes a group can have: at once, in a pool, and in its life.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <vector>

#include "hosts/host.hpp"
#include "support/watchdog.hpp"

namespace mpc::test {
namespace {

class ScaleTest : public HostTest {};
MPC_UNDER_EVERY_START_METHOD(ScaleTest);

constexpr uint32_t kMost = 4096;
// 4,096 forks and as many deaths, perhaps on a machine that has other things to do.
constexpr unsigned kPatience = 280;

int attaches_and_waits(const void*, size_t, const mpc_ref* refs, size_t) {
  mpc_block* block;
  MUST(mpc_block_attach(&refs[0], &block) == MPC_OK);
  static_cast<Count*>(mpc_block_address(block))->add();
  for (;;) pause();
}

MPC_PROGRAM(host_with_as_many_processes_as_can_be) {
  watchdog_start(kPatience);
  rlimit processes;
  MUST(getrlimit(RLIMIT_NPROC, &processes) == 0);
  if (processes.rlim_cur < 2 * kMost) not_here("fewer than 8,192 processes are allowed");
  Host host;
  HostState machine = HostState::now();
  host.use_group();

  mpc_block* block;
  mpc_ref ref;
  MUST(mpc_block_create(64, &block) == MPC_OK);
  auto* attached = new (mpc_block_address(block)) Count;
  MUST(mpc_block_ref(block, &ref) == MPC_OK);
  mpc_group_stats before = stats_now();
  MUST(before.participants == 1);
  // This process has a place, and its fork server.
  const uint64_t room = kMost - 2;

  mpc_process_options options = MPC_PROCESS_OPTIONS_INIT;
  options.refs = &ref;
  options.ref_count = 1;
  std::vector<mpc_process*> processes_;
  while (processes_.size() < room) {
    processes_.push_back(started(attaches_and_waits, options));
  }
  MUST(attached->reaches(static_cast<uint32_t>(room)));
  MUST(participants_now() == room + 1);

  // One more is refused, and what is there goes on.
  mpc_process* surplus;
  MUST(mpc_process_create(nullptr, nullptr, &surplus) == MPC_OK);
  MUST(KEEPS_ERRNO(mpc_process_start(surplus)) == MPC_EPARTICIPANTS);
  MUST(participants_now() == room + 1);
  void* address;
  MUST(KEEPS_ERRNO(mpc_group_alloc(1000, &address)) == MPC_OK);
  MUST(KEEPS_ERRNO(mpc_group_free(address)) == MPC_OK);
  uint32_t swept = 1;
  MUST(KEEPS_ERRNO(mpc_group_sweep(&swept)) == MPC_OK);
  MUST(swept == 0);

  // The block outlives its name as long as one of them lives. A place becomes free with each death.
  MUST(mpc_process_kill(processes_.back()) == MPC_OK);
  MUST(ended(processes_.back()) == -SIGKILL);
  processes_.pop_back();
  MUST(mpc_process_start(surplus) == MPC_OK);
  MUST(ended(surplus) == 0);

  for (mpc_process* process : processes_) MUST(mpc_process_kill(process) == MPC_OK);
  for (mpc_process* process : processes_) MUST(ended(process) == -SIGKILL);
  mpc_group_stats after = stats_now();
  MUST(after.participants == before.participants);
  MUST(after.objects == before.objects);
  MUST(after.blocks == before.blocks);
  MUST(mpc_block_detach(block) == MPC_OK);
  host.use_group();
  MUST(mpc_group_leave() == MPC_OK);
  machine.must_still_be();
  return 0;
}
TEST_P(ScaleTest, FourThousandAndNinetySixProcessesAtOnce) {
  watchdog_start(kPatience + 10);
  expect_works("host_with_as_many_processes_as_can_be");
}

int add_item(const void* item, void*) {
  (*static_cast<Count* const*>(item))->add();
  return 0;
}

// As many as fit no fd_set, had each worker a descriptor in its owner.
MPC_PROGRAM(host_with_more_workers_than_a_select_set_holds) {
  watchdog_start(kPatience);
  GroupPage<Count> calls;
  std::vector<Count*> items(20'000, calls.get());
  mpc_pool* pool = pool_of(1100);
  MUST(mpc_pool_map(pool, add_item, items.data(), items.size(), sizeof items[0], nullptr, 0,
                    nullptr) == MPC_OK);
  MUST(calls->value() == items.size());
  end_pool(pool);
  return 0;
}
TEST_P(ScaleTest, L21APoolMayBeLargerThanASelectSet) {
  watchdog_start(kPatience + 10);
  expect_works("host_with_more_workers_than_a_select_set_holds");
}

MPC_PROGRAM(host_that_starts_many) {
  // It takes as long as it takes: whoever runs it has a limit of its own.
  watchdog_stop();
  uint64_t starts = std::stoull(arguments.at(0));
  Host host;
  HostState machine = HostState::now();
  // Taken for good by the first of them.
  for (int i = 0; i < 100; ++i) MUST(ended(started(nullptr)) == 0);
  HostState used = HostState::now();
  mpc_group_stats before = stats_now();
  for (uint64_t i = 0; i < starts; ++i) MUST(ended(started(nullptr)) == 0);
  mpc_group_stats after = stats_now();
  MUST(after.starts == before.starts + starts);
  MUST(after.deaths == before.deaths + starts);
  MUST(after.participants == 1);
  MUST(after.memory_used == before.memory_used);
  MUST(after.blocks == before.blocks);
  MUST(after.bytes == before.bytes);
  MUST(after.objects == before.objects);
  used.must_still_be();
  host.use_group();
  MUST(mpc_group_leave() == MPC_OK);
  machine.must_still_be();
  return 0;
}
TEST_P(ScaleTest, ThousandsOfStartsLeaveTheBooksAsTheyWere) {
  watchdog_start(kPatience);
  expect_works("host_that_starts_many", {"5000"});
}

}  // namespace
}  // namespace mpc::test
