// SPDX-License-Identifier: Apache-2.0
// Hosts that have no descriptor left.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <vector>

#include "hosts/gate.hpp"
#include "hosts/host.hpp"

namespace mpc::test {
namespace {

class NoDescriptorHostTest : public HostTest {};
MPC_UNDER_EVERY_START_METHOD(NoDescriptorHostTest);

// Takes every descriptor that there is.
std::vector<int> take_all() {
  rlimit limit;
  MUST(getrlimit(RLIMIT_NOFILE, &limit) == 0);
  limit.rlim_cur = 40;
  MUST(setrlimit(RLIMIT_NOFILE, &limit) == 0);
  std::vector<int> taken;
  for (;;) {
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (fd < 0) break;
    taken.push_back(fd);
  }
  MUST(errno == EMFILE);
  return taken;
}

void give_all(const std::vector<int>& taken) {
  for (int fd : taken) MUST(close(fd) == 0);
}

MPC_PROGRAM(host_without_descriptors_from_the_start) {
  Host host;
  std::vector<int> taken = take_all();
  HostState before = HostState::now();
  MUST(!works_or_says_why());
  MUST(last_message().find("descriptor") != std::string::npos ||
       last_message().find("open files") != std::string::npos);
  before.must_still_be();
  // One after the other is given back, until it works.
  bool works = false;
  while (!works && !taken.empty()) {
    MUST(close(taken.back()) == 0);
    taken.pop_back();
    works = works_or_says_why();
    MUST(mpc_group_leave() == MPC_OK);
  }
  MUST(works);
  give_all(taken);
  return host.use_library();
}
TEST_P(NoDescriptorHostTest, FromTheStart) {
  expect_works("host_without_descriptors_from_the_start");
}

MPC_PROGRAM(host_that_runs_out_of_descriptors) {
  Host host;
  Gate* gate = in_group<Gate>();
  mpc_pool* pool = pool_of(2);
  map_numbers(pool);
  mpc_process* process = started_with(waits_at_the_gate, gate);
  MUST(gate->inside.reaches(1));
  mpc_process* killed = started_with(waits_at_the_gate, gate);
  MUST(gate->inside.reaches(2));

  std::vector<int> taken = take_all();
  // More than once: what was kept in reserve is taken back, or not, after each.
  for (int round = 0; round < 3; ++round) {
    map_numbers(pool);
    lose_a_worker(pool);
  }
  map_numbers(pool);
  MUST(KEEPS_ERRNO(mpc_process_join(process, MPC_MILLISECONDS(20))) == MPC_ETIMEDOUT);
  MUST(KEEPS_ERRNO(mpc_process_kill(killed)) == MPC_OK);
  MUST(ended(killed) == -SIGKILL);
  gate->open.set(1);
  MUST(ended(process) == kThroughTheGate);
  uint32_t swept;
  MUST(KEEPS_ERRNO(mpc_group_sweep(&swept)) == MPC_OK);
  MUST(participants_now() <= 3);
  // A start works with no more than this, or says what it lacks.
  mpc_process* late;
  MUST(mpc_process_create(nullptr, nullptr, &late) == MPC_OK);
  mpc_status status = KEEPS_ERRNO(mpc_process_start(late));
  if (status == MPC_OK) {
    MUST(ended(late) == 0);
  } else {
    MUST(status == MPC_ESYSTEM && last_message().size() > 20);
    MUST(mpc_process_destroy(late) == MPC_OK);
  }
  end_pool(pool);
  give_all(taken);
  MUST(mpc_group_leave() == MPC_OK);
  return host.use_library();
}
TEST_P(NoDescriptorHostTest, FromTheMiddleOn) { expect_works("host_that_runs_out_of_descriptors"); }

}  // namespace
}  // namespace mpc::test
