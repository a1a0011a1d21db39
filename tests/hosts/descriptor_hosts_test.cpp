// SPDX-License-Identifier: Apache-2.0
// Hosts that close what they did not open, and use the numbers for files of their own.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <vector>

#include "hosts/gate.hpp"
#include "hosts/host.hpp"

namespace mpc::test {
namespace {

class DescriptorHostTest : public HostTest {};
MPC_UNDER_EVERY_START_METHOD(DescriptorHostTest);

constexpr int kOwnFiles = 64;

std::string text_of(int number) { return "the host's own file " + std::to_string(number); }

// A file that is nowhere else, so that neither reading nor writing it goes unnoticed.
int own_file(int number) {
  int fd = memfd_create("own", MFD_CLOEXEC);
  MUST(fd >= 0);
  std::string text = text_of(number);
  MUST(write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  return fd;
}

void own_files_must_be_whole(const std::vector<int>& files) {
  for (int fd : files) {
    char text[64] = "";
    ssize_t n = pread(fd, text, sizeof text, 0);
    MUST(n >= 0 && std::string(text, static_cast<size_t>(n)) == text_of(fd));
    MUST(lseek(fd, 0, SEEK_CUR) == n);
  }
}

MPC_PROGRAM(host_that_uses_the_librarys_numbers) {
  Host host;
  Gate* gate = in_group<Gate>();
  host.use_group();
  mpc_pool* pool = pool_of(2);
  map_numbers(pool);
  mpc_process* process = started_with(waits_at_the_gate, gate);
  MUST(gate->inside.reaches(1));

  MUST(syscall(SYS_close_range, 3, ~0u, 0) == 0);
  std::vector<int> files;
  while (files.empty() || files.back() < kOwnFiles) {
    int fd = memfd_create("probe", MFD_CLOEXEC);
    MUST(fd > STDERR_FILENO);
    close(fd);
    files.push_back(own_file(fd));
    MUST(files.back() == fd);
  }
  HostState before = HostState::now();

  map_numbers(pool);
  lose_a_worker(pool);
  map_numbers(pool);
  MUST(mpc_process_join(process, 0) == MPC_ETIMEDOUT);
  gate->open.set(1);
  MUST(ended(process) == kThroughTheGate);
  host.use_group(false);
  own_files_must_be_whole(files);
  end_pool(pool);
  MUST(KEEPS_ERRNO(mpc_group_leave()) == MPC_OK);
  own_files_must_be_whole(files);

  // What was closed and has a file of the host's on it now is not the library's to close; what it
  // opened since may have gone.
  for (int fd : files) MUST(fcntl(fd, F_GETFD) == FD_CLOEXEC);
  before.must_still_be();
  return host.use_library();
}
TEST_P(DescriptorHostTest, EveryDescriptorWasClosedAndItsNumberIsTheHostsOwn) {
  expect_works("host_that_uses_the_librarys_numbers");
}

// The children are the host's too: one of them may do what a daemon does at its start.
int closes_everything(const void*, size_t, const mpc_ref*, size_t) {
  MUST(syscall(SYS_close_range, 3, ~0u, 0) == 0);
  Host host;
  host.use_group();
  return 11;
}

MPC_PROGRAM(host_whose_child_closes_everything) {
  Host host;
  MUST(ended(started(closes_everything)) == 11);
  MUST(mpc_group_leave() == MPC_OK);
  return host.use_library();
}
TEST_P(DescriptorHostTest, AChildClosesEveryDescriptor) {
  expect_works("host_whose_child_closes_everything");
}

MPC_PROGRAM(host_without_standard_descriptors) {
  Host host;
  // Kept aside for what has to be said.
  int aside = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 200);
  for (int fd = 0; fd <= STDERR_FILENO; ++fd) close(fd);
  auto standard_ones_are_closed = [] {
    for (int fd = 0; fd <= STDERR_FILENO; ++fd) {
      if (fcntl(fd, F_GETFD) != -1) return false;
    }
    return true;
  };
  bool group_keeps_them_closed = mpc_group_join() == MPC_OK && standard_ones_are_closed();
  mpc_pool* pool = pool_of(2);
  map_numbers(pool);
  bool pool_keeps_them_closed = standard_ones_are_closed();
  end_pool(pool);
  MUST(mpc_group_leave() == MPC_OK);
  int exit_code = host.use_library();
  dup2(aside, STDERR_FILENO);
  MUST(group_keeps_them_closed);
  MUST(pool_keeps_them_closed);
  return exit_code;
}
// What is opened there would get what the host prints, such as into the middle of group memory.
TEST_P(DescriptorHostTest, StandardDescriptorsThatAreClosedStayClosed) {
  expect_works("host_without_standard_descriptors");
}

int waits_for_ever(const void* argument, size_t, const mpc_ref*, size_t) {
  argument_as<Count*>(argument)->add();
  for (;;) pause();
}

MPC_PROGRAM(host_without_standard_descriptors_that_dies) {
  SharedPage<std::atomic<int32_t>> orphan;
  int aside = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 200);
  for (int fd = 0; fd <= STDERR_FILENO; ++fd) close(fd);
  pid_t parent = fork_and([&] {
    Host host;
    auto* begun = in_group<Count>();
    mpc_process* process = started_with(waits_for_ever, begun);
    int32_t pid = 0;
    MUST(mpc_process_pid(process, &pid) == MPC_OK);
    *orphan = pid;
    MUST(begun->reaches(1));
    return raise(SIGKILL);
  });
  bool killed = wait_for(parent) == -SIGKILL;
  bool gone = ends_within(*orphan, kLongEnough);
  dup2(aside, STDERR_FILENO);
  MUST(killed);
  MUST(gone);
  return 0;
}
// What a child is told of its parent's death by must not be where its standard input goes.
TEST_P(DescriptorHostTest, WithoutStandardDescriptorsChildrenStillDieWithTheirParent) {
  expect_works("host_without_standard_descriptors_that_dies");
}

}  // namespace
}  // namespace mpc::test
