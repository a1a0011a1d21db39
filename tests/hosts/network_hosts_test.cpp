// SPDX-License-Identifier: Apache-2.0
// Trees of which a process is in another network namespace. The names of the sockets by which the
// processes of a tree find each other are of one such namespace.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>

#include <array>
#include <vector>

#include "hosts/gate.hpp"
#include "hosts/host.hpp"
#include "support/subreaper.hpp"

namespace mpc::test {
namespace {

class NetworkHostTest : public HostTest {};
MPC_UNDER_EVERY_START_METHOD(NetworkHostTest);

void enter_another_network() {
  if (unshare(CLONE_NEWNET) != 0) not_here("no right to make a namespace (unshare)");
}

mpc_process* made_for_the_gate(Gate* const& gate, mpc_start_method method) {
  mpc_process_options options = MPC_PROCESS_OPTIONS_INIT;
  options.start_method = method;
  options.argument = &gate;
  options.argument_size = sizeof gate;
  mpc_process* process;
  MUST(mpc_process_create(waits_at_the_gate, &options, &process) == MPC_OK);
  return process;
}

mpc_process* at_the_gate(Gate* const& gate, mpc_start_method method) {
  mpc_process* process = made_for_the_gate(gate, method);
  MUST(KEEPS_ERRNO(mpc_process_start(process)) == MPC_OK);
  return process;
}

mpc_process* program_at_a_pipe(int* out_input) {
  mpc_process_options options = MPC_PROCESS_OPTIONS_INIT;
  options.program = "cat";
  options.standard_input.kind = MPC_STDIO_PIPE;
  mpc_process* process = started(nullptr, options);
  MUST(mpc_process_pipe(process, 0, out_input) == MPC_OK);
  return process;
}

// Under each method, and so many at once that they cannot share what ties them.
void many_at_once_must_work() {
  constexpr uint32_t kEach = 3;
  Gate* gate = in_group<Gate>();
  std::vector<mpc_process*> processes;
  std::array<int, kEach> inputs{};
  for (mpc_start_method method : start_methods()) {
    for (uint32_t i = 0; i < kEach; ++i) processes.push_back(at_the_gate(gate, method));
  }
  MUST(gate->inside.reaches(static_cast<uint32_t>(processes.size())));
  std::vector<mpc_process*> programs;
  for (int& input : inputs) programs.push_back(program_at_a_pipe(&input));
  gate->open.set(1);
  for (int input : inputs) close(input);
  for (mpc_process* process : processes) MUST(ended(process) == kThroughTheGate);
  for (mpc_process* process : programs) MUST(ended(process) == 0);
  MUST(mpc_group_free(gate) == MPC_OK);
}

MPC_PROGRAM(host_that_enters_another_network) {
  Host host;
  HostState before = HostState::now();
  host.use_group();
  Gate* gate = in_group<Gate>();
  mpc_process* old = started_with(waits_at_the_gate, gate);
  MUST(gate->inside.reaches(1));
  enter_another_network();
  many_at_once_must_work();
  host.use_group(false);
  gate->open.set(1);
  MUST(ended(old) == kThroughTheGate);
  MUST(mpc_group_free(gate) == MPC_OK);
  MUST(mpc_group_leave() == MPC_OK);
  before.must_still_be();
  return host.use_library();
}
TEST_P(NetworkHostTest, TheHostEntersAnotherNetworkWhileItHasChildren) {
  expect_works("host_that_enters_another_network");
}

MPC_PROGRAM(host_that_goes_to_and_fro) {
  HostState before = HostState::now();
  int first = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
  MUST(first >= 0);
  many_at_once_must_work();
  enter_another_network();
  int second = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
  for (int round = 0; round < 3; ++round) {
    many_at_once_must_work();
    MUST(setns(first, CLONE_NEWNET) == 0);
    many_at_once_must_work();
    MUST(setns(second, CLONE_NEWNET) == 0);
  }
  close(first);
  close(second);
  MUST(mpc_group_leave() == MPC_OK);
  before.must_still_be();
  return 0;
}
TEST_P(NetworkHostTest, TheHostGoesToAndFro) { expect_works("host_that_goes_to_and_fro"); }

MPC_PROGRAM(host_that_enters_ever_new_networks) {
  for (int i = 0; i < 12; ++i) {
    many_at_once_must_work();
    enter_another_network();
  }
  many_at_once_must_work();
  MUST(mpc_group_leave() == MPC_OK);
  return 0;
}
TEST_P(NetworkHostTest, TheHostEntersEverNewNetworks) {
  expect_works("host_that_enters_ever_new_networks");
}

// What ties a child is of its network, and those of some alone can be held at once.
MPC_PROGRAM(host_with_children_in_many_networks) {
  auto method = static_cast<mpc_start_method>(std::stoi(arguments.at(0)));
  Gate* gate = in_group<Gate>();
  std::vector<mpc_process*> processes;
  bool refused = false;
  for (int i = 0; i < 20 && !refused; ++i) {
    enter_another_network();
    // One alone could have what the process itself has.
    for (int each = 0; each < 2 && !refused; ++each) {
      mpc_process* process = made_for_the_gate(gate, method);
      mpc_status status = KEEPS_ERRNO(mpc_process_start(process));
      refused = status != MPC_OK;
      if (!refused) processes.push_back(process);
      MUST(!refused || last_message().find("network namespaces") != std::string::npos);
      if (refused) MUST(mpc_process_destroy(process) == MPC_OK);
    }
  }
  // Where the child is this process's own in the kernel's eyes there is another way.
  MUST(refused == (method == MPC_START_FORKSERVER));
  MUST(processes.size() >= 8);
  MUST(gate->inside.reaches(static_cast<uint32_t>(processes.size())));
  gate->open.set(1);
  for (mpc_process* process : processes) MUST(ended(process) == kThroughTheGate);
  many_at_once_must_work();
  MUST(mpc_group_leave() == MPC_OK);
  return 0;
}
TEST_P(NetworkHostTest, ItHasChildrenInMoreNetworksThanCanBeHeld) {
  expect_works("host_with_children_in_many_networks", {std::to_string(GetParam())});
}

// --- queues --------------------------------------------------------------------------------------

// Sizes of queues are a network's own: here the shortest that there are.
void shorten_queues() {
  enter_another_network();
  if (!write_file("/proc/sys/net/core/somaxconn", "1") ||
      !write_file("/proc/sys/net/unix/max_dgram_qlen", "1")) {
    not_here("no right to shorten queues (net.core.somaxconn, net.unix.max_dgram_qlen)");
  }
}

MPC_PROGRAM(host_with_short_queues) {
  Host host;
  shorten_queues();
  for (int round = 0; round < 5; ++round) many_at_once_must_work();
  MUST(mpc_group_leave() == MPC_OK);
  return host.use_library();
}
TEST_P(NetworkHostTest, TheQueuesOfItsNetworkAreShort) { expect_works("host_with_short_queues"); }

// More children at once than can be tied to their parent: those that cannot be are refused.
MPC_PROGRAM(host_with_more_children_than_can_be_tied) {
  auto method = static_cast<mpc_start_method>(std::stoi(arguments.at(0)));
  shorten_queues();
  MUST(ended(started(nullptr)) == 0);
  make_fork_server();
  rlimit descriptors;
  MUST(getrlimit(RLIMIT_NOFILE, &descriptors) == 0);
  descriptors.rlim_cur = 20;
  MUST(setrlimit(RLIMIT_NOFILE, &descriptors) == 0);
  Gate* gate = in_group<Gate>();
  std::vector<mpc_process*> processes;
  int refusals = 0;
  for (int i = 0; i < 40; ++i) {
    mpc_process* process = made_for_the_gate(gate, method);
    if (KEEPS_ERRNO(mpc_process_start(process)) == MPC_OK) {
      processes.push_back(process);
    } else {
      ++refusals;
      MUST(last_message().find("ulimit -n") != std::string::npos);
      MUST(mpc_process_destroy(process) == MPC_OK);
    }
  }
  MUST((refusals > 0) == (method == MPC_START_FORKSERVER));
  MUST(processes.size() >= 10);
  MUST(gate->inside.reaches(static_cast<uint32_t>(processes.size())));
  gate->open.set(1);
  for (mpc_process* process : processes) MUST(ended(process) == kThroughTheGate);
  MUST(ended(started(nullptr)) == 0);
  return 0;
}
TEST_P(NetworkHostTest, ItHasMoreChildrenThanCanBeTied) {
  expect_works("host_with_more_children_than_can_be_tied", {std::to_string(GetParam())});
}

// --- deeper --------------------------------------------------------------------------------------

int enters_and_starts(const void*, size_t, const mpc_ref*, size_t) {
  enter_another_network();
  many_at_once_must_work();
  return 4;
}

int starts_what_enters(const void*, size_t, const mpc_ref*, size_t) {
  MUST(ended(started(enters_and_starts)) == 4);
  many_at_once_must_work();
  return 5;
}

MPC_PROGRAM(host_whose_children_enter_another_network) {
  Host host;
  many_at_once_must_work();
  MUST(ended(started(enters_and_starts)) == 4);
  MUST(ended(started(starts_what_enters)) == 5);
  many_at_once_must_work();
  return 0;
}
TEST_P(NetworkHostTest, ItsChildrenEnterAnotherNetwork) {
  expect_works("host_whose_children_enter_another_network");
}

// --- orphans -------------------------------------------------------------------------------------

// Has descendants in both networks, of every method, and waits to be killed.
int has_a_family(const void* argument, size_t, const mpc_ref*, size_t) {
  Gate* gate = argument_as<Gate*>(argument);
  auto start_all = [&] {
    for (mpc_start_method method : start_methods()) {
      for (int i = 0; i < 2; ++i) at_the_gate(gate, method);
    }
    int input;
    program_at_a_pipe(&input);
  };
  start_all();
  enter_another_network();
  start_all();
  gate->inside.add();
  for (;;) pause();
}

MPC_PROGRAM(host_whose_child_is_killed_in_another_network) {
  Subreaper subreaper;
  Gate* gate = in_group<Gate>();
  mpc_process* process = started_with(has_a_family, gate);
  MUST(gate->inside.reaches(static_cast<uint32_t>(4 * start_methods().size() + 1)));
  MUST(mpc_process_kill(process) == MPC_OK);
  MUST(ended(process) == -SIGKILL);
  MUST(Subreaper::all_end());
  MUST(gate->open.value() == 0);
  return 0;
}
TEST_P(NetworkHostTest, NoOrphanIsLeft) {
  expect_works("host_whose_child_is_killed_in_another_network");
}

}  // namespace
}  // namespace mpc::test
