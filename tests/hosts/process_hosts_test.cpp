// SPDX-License-Identifier: Apache-2.0
// Hosts that fork and exec by themselves, and one that has another library of the same name.
#include <dlfcn.h>
#include <fcntl.h>
#include <gtest/gtest.h>

#include <array>

#include "hosts/host.hpp"

namespace mpc::test {
namespace {

class ProcessHostTest : public HostTest {};
MPC_UNDER_EVERY_START_METHOD(ProcessHostTest);

MPC_PROGRAM(host_that_forks) {
  Host host;
  host.use_group();
  mpc_pool* pool = pool_of(2);
  map_numbers(pool);
  mpc_block* block;
  mpc_ref ref;
  MUST(mpc_block_create(4096, &block) == MPC_OK);
  MUST(mpc_block_ref(block, &ref) == MPC_OK);
  mpc_group_stats before = stats_now();

  auto use_both = [&] {
    host.use_group(false);
    auto* number = static_cast<std::atomic<int>*>(mpc_block_address(block));
    MUST(number != nullptr);
    for (int i = 0; i < 1000; ++i) number->fetch_add(1);
  };
  pid_t child = fork_and([&] {
    char item = 0;
    MUST(mpc_pool_map(pool, nullptr, &item, 1, 1, nullptr, 0, nullptr) < 0);
    MUST(mpc_pool_close(pool) == MPC_ECHILD);
    MUST(participants_now() > before.participants);
    use_both();
    MUST(mpc_block_detach(block) == MPC_OK);
    MUST(mpc_pool_destroy(pool) == MPC_OK);
    return 0;
  });
  MUST(child > 0);
  use_both();
  map_numbers(pool);
  MUST(wait_for(child) == 0);
  MUST(*static_cast<int*>(mpc_block_address(block)) == 2000);
  map_numbers(pool);

  // The fork server of the half that has ended is on its way.
  mpc_group_stats after;
  int64_t deadline = now_ns() + kLongEnough;
  do {
    MUST(mpc_group_sweep(nullptr) == MPC_OK);
    after = stats_now();
  } while (after.blocks > before.blocks && now_ns() < deadline);
  // The two workers and this process; one that has just been started may not count yet.
  MUST(after.participants <= 3);
  MUST(after.objects == before.objects);
  MUST(after.blocks == before.blocks);
  end_pool(pool);
  MUST(mpc_block_destroy(block) == MPC_OK);
  MUST(mpc_group_leave() == MPC_OK);
  return host.use_library();
}
TEST_P(ProcessHostTest, TheHostForksAndBothHalvesUseIt) { expect_works("host_that_forks"); }

// Two pipes of the host's, found by its process id: not every start method lets a child inherit
// them.
constexpr int kTell = 200;
constexpr int kStay = 201;

int open_of_the_host(const std::string& host, int number, int flags) {
  std::string path = "/proc/" + host + "/fd/" + std::to_string(number);
  return open(path.c_str(), flags | O_CLOEXEC);
}

// Says in the one that it is there, and stays until the other has no writer any more.
MPC_PROGRAM(another_image) {
  int tell = open_of_the_host(arguments.at(0), kTell, O_WRONLY);
  int stay = open_of_the_host(arguments.at(0), kStay, O_RDONLY);
  char byte = 'x';
  if (write(tell, &byte, 1) != 1) return 1;
  return read(stay, &byte, 1) == 0 ? 13 : 1;
}

void become_another_image(pid_t host) {
  execl("/proc/self/exe", "another_image", "--run-program", "another_image",
        std::to_string(host).c_str(), nullptr);
}

constexpr size_t kPrivate = size_t{3} << 20;

int becomes_another_image(const void* argument, size_t, const mpc_ref*, size_t) {
  void* address;
  MUST(mpc_group_alloc(kPrivate, &address) == MPC_OK);
  become_another_image(argument_as<pid_t>(argument));
  return 1;
}

MPC_PROGRAM(host_whose_child_execs) {
  Host host;
  int tell[2];
  int stay[2];
  MUST(pipe2(tell, O_CLOEXEC) == 0 && pipe2(stay, O_CLOEXEC) == 0);
  MUST(dup3(tell[1], kTell, 0) == kTell && dup3(stay[0], kStay, 0) == kStay);
  // What the first start takes for good.
  MUST(ended(started(nullptr)) == 0);
  mpc_group_stats before = stats_now();
  mpc_process* process = started_with(becomes_another_image, getpid());
  char byte;
  MUST(read(tell[0], &byte, 1) == 1);

  uint32_t swept = 0;
  MUST(KEEPS_ERRNO(mpc_group_sweep(&swept)) == MPC_OK);
  MUST(swept == 1);
  mpc_group_stats after = stats_now();
  MUST(after.participants == before.participants);
  MUST(after.bytes == before.bytes);
  // As a process it lives, and ends as any other.
  int alive = 0;
  MUST(mpc_process_is_alive(process, &alive) == MPC_OK && alive == 1);
  MUST(mpc_process_join(process, 0) == MPC_ETIMEDOUT);
  close(stay[1]);
  MUST(ended(process) == 13);
  for (int fd : {tell[0], tell[1], stay[0], kTell, kStay}) close(fd);
  MUST(mpc_group_leave() == MPC_OK);
  return host.use_library();
}
TEST_P(ProcessHostTest, AParticipantThatExecsIsDeadForTheGroup) {
  expect_works("host_whose_child_execs");
}

struct NumberOfHost {
  int number;
  pid_t host;
};

int execs_of_three(const void* item, void* result) {
  auto [number, host] = argument_as<NumberOfHost>(item);
  if (number == 3) become_another_image(host);
  *static_cast<int*>(result) = number;
  return 0;
}

MPC_PROGRAM(host_whose_worker_execs) {
  Host host;
  int tell[2];
  int stay[2];
  MUST(pipe2(tell, O_CLOEXEC) == 0 && pipe2(stay, O_CLOEXEC) == 0);
  MUST(dup3(tell[1], kTell, 0) == kTell && dup3(stay[0], kStay, 0) == kStay);
  mpc_pool* pool = pool_of(2);
  std::array<NumberOfHost, 8> items;
  for (size_t i = 0; i < items.size(); ++i) items[i] = {static_cast<int>(i), getpid()};
  std::array<int, 8> results{};
  std::array<mpc_item_error, 8> errors;
  mpc_map_options options = MPC_MAP_OPTIONS_INIT;
  options.errors = errors.data();
  MUST(KEEPS_ERRNO(mpc_pool_map(pool, execs_of_three, items.data(), items.size(), sizeof items[0],
                                results.data(), sizeof(int), &options)) == MPC_EWORKER_LOST);
  for (size_t i = 0; i < items.size(); ++i) {
    MUST(errors[i].status == (i == 3 ? MPC_EWORKER_LOST : MPC_OK));
    MUST(i == 3 || results[i] == items[i].number);
  }
  // It was there as the other image when it was found out.
  char byte;
  MUST(read(tell[0], &byte, 1) == 1);
  end_pool(pool);
  for (int fd : {tell[0], tell[1], stay[0], stay[1], kTell, kStay}) close(fd);
  MUST(mpc_group_leave() == MPC_OK);
  return host.use_library();
}
TEST_P(ProcessHostTest, AWorkerThatExecsCostsItsItem) { expect_works("host_whose_worker_execs"); }

MPC_PROGRAM(host_with_gnu_mpc) {
  Host host;
  std::string ours = mpc_library_version();
  void* gnu = dlopen("libmpc.so.3", RTLD_NOW | RTLD_GLOBAL);
  if (gnu == nullptr) not_here("no libmpc.so.3 (GNU MPC) on this machine");
  auto* version = reinterpret_cast<const char* (*)()>(dlsym(gnu, "mpc_get_version"));
  MUST(version != nullptr);
  std::string theirs = version();
  MUST(ours == mpc_library_version());
  int exit_code = host.use_library();
  MUST(version() == theirs);
  MUST(dlclose(gnu) == 0);
  return exit_code;
}
TEST_P(ProcessHostTest, GnuMpcIsLoadedBesideIt) { expect_works("host_with_gnu_mpc"); }

}  // namespace
}  // namespace mpc::test
