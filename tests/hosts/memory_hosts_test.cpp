// SPDX-License-Identifier: Apache-2.0
// Hosts whose memory is locked, limited, counted strictly, or written out when they crash.
#include <dirent.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <vector>

#include "hosts/host.hpp"

namespace mpc::test {
namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;

void limit(__rlimit_resource_t resource, uint64_t bytes) {
  rlimit now;
  MUST(getrlimit(resource, &now) == 0);
  now.rlim_cur = std::min<uint64_t>(bytes, now.rlim_max);
  MUST(setrlimit(resource, &now) == 0);
}

// A field of the group's mapping in /proc/self/smaps, such as "VmFlags".
std::string mapping_field(const char* field) {
  char start[32];
  snprintf(start, sizeof start, "%llx-", static_cast<unsigned long long>(stats_now().address));
  std::istringstream lines(file_text("/proc/self/smaps"));
  std::string line;
  while (std::getline(lines, line) && line.rfind(start, 0) != 0) {
  }
  while (std::getline(lines, line)) {
    if (line.rfind(std::string(field) + ":", 0) == 0) return line.substr(strlen(field) + 1) + " ";
  }
  return "";
}

// --- core dumps ----------------------------------------------------------------------------------

int aborts(const void*, void*) { abort(); }

MPC_PROGRAM(host_that_dumps_core) {
  Host host;
  MUST(chdir(arguments.at(0).c_str()) == 0);
  rlimit all{RLIM_INFINITY, RLIM_INFINITY};
  if (setrlimit(RLIMIT_CORE, &all) != 0) not_here("no right to raise the limit of core files");
  host.use_group();
  void* address;
  MUST(mpc_group_alloc(4 * kMiB, &address) == MPC_OK);
  memset(address, 1, 4 * kMiB);
  MUST(mapping_field("VmFlags").find(" dd ") != std::string::npos);
  for (mpc_start_method method : start_methods()) {
    mpc_pool* pool = pool_of(1, method);
    char item = 0;
    mpc_item_error error;
    mpc_map_options options = MPC_MAP_OPTIONS_INIT;
    options.errors = &error;
    MUST(mpc_pool_map(pool, aborts, &item, 1, 1, nullptr, 0, &options) == MPC_EWORKER_LOST);
    MUST(error.exit_code == -SIGABRT);
  }
  abort();
}

TEST(MemoryHostTest, ACrashWithUnlimitedCoreSizeWritesNoGroupMemory) {
  char folder[] = "/tmp/mpc-hosts-XXXXXX";
  ASSERT_NE(mkdtemp(folder), nullptr);
  Ended ended = run_program("host_that_dumps_core", {folder});
  EXPECT_EQ(ended, -SIGABRT);
  EXPECT_EQ(ended.errors, "");
  // Where the system writes them elsewhere, or pipes them, the mapping's flag has to do.
  uint64_t bytes = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) bytes += entry.file_size();
  EXPECT_LT(bytes, 64 * kMiB);
  std::filesystem::remove_all(folder);
}

// --- locked memory -------------------------------------------------------------------------------

void lock_all() {
  if (mlockall(MCL_CURRENT | MCL_FUTURE) != 0) not_here("mlockall is refused");
}

MPC_PROGRAM(host_that_locks_its_memory) {
  Host host;
  lock_all();
  host.use_group();
  mpc_group_stats stats = stats_now();
  MUST(mapping_field("VmFlags").find(" lo ") == std::string::npos);
  MUST(strtoull(mapping_field("Rss").c_str(), nullptr, 10) * 1024 <= stats.memory_used + 64 * kMiB);
  MUST(mpc_group_leave() == MPC_OK);
  return host.use_library();
}
TEST(MemoryHostTest, AllMemoryIsLocked) { expect_works("host_that_locks_its_memory"); }

// root may lock what it likes, unless it has given the right up.
void give_up_the_right_to_lock() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2];
  MUST(syscall(SYS_capget, &header, data) == 0);
  data[0].effective &= ~(1u << CAP_IPC_LOCK);
  data[0].permitted &= ~(1u << CAP_IPC_LOCK);
  MUST(syscall(SYS_capset, &header, data) == 0);
}

MPC_PROGRAM(host_that_may_lock_nothing) {
  Host host;
  limit(RLIMIT_MEMLOCK, 0);
  give_up_the_right_to_lock();
  return host.use_library();
}
TEST(MemoryHostTest, NoMemoryMayBeLocked) { expect_works("host_that_may_lock_nothing"); }

MPC_PROGRAM(host_that_locks_within_a_limit) {
  Host host;
  limit(RLIMIT_MEMLOCK, std::stoull(arguments.at(0)));
  give_up_the_right_to_lock();
  lock_all();
  works_or_says_why();
  MUST(mpc_group_leave() == MPC_OK);
  return 0;
}
TEST(MemoryHostTest, AllMemoryIsLockedWithinALimit) {
  expect_works("host_that_locks_within_a_limit", {std::to_string(8 * kMiB)});
  expect_works("host_that_locks_within_a_limit", {std::to_string(1024 * kMiB)});
}

// --- limits --------------------------------------------------------------------------------------

MPC_PROGRAM(host_with_little_address_space) {
  Host host;
  HostState before = HostState::now();
  uint64_t bytes = std::stoull(arguments.at(0));
  limit(RLIMIT_AS, bytes);
  bool works = works_or_says_why();
  MUST(mpc_group_leave() == MPC_OK);
  before.must_still_be();
  if (bytes < 1024 * kMiB) return 0;
  MUST(works);
  return host.use_library();
}

class AddressSpaceTest : public testing::TestWithParam<uint64_t> {};
TEST_P(AddressSpaceTest, WorksOrSaysWhy) {
  expect_works("host_with_little_address_space", {std::to_string(GetParam() * kMiB)});
}
INSTANTIATE_TEST_SUITE_P(MiB, AddressSpaceTest,
                         testing::Values(16, 32, 48, 64, 128, 256, 512, 1024, 4096, 65536),
                         testing::PrintToStringParamName());

MPC_PROGRAM(host_with_a_file_size_limit) {
  Host host;
  limit(RLIMIT_FSIZE, std::stoull(arguments.at(0)));
  return host.use_library();
}

class FileSizeTest : public testing::TestWithParam<uint64_t> {};
TEST_P(FileSizeTest, Works) {
  expect_works("host_with_a_file_size_limit", {std::to_string(GetParam() * kMiB)});
}
INSTANTIATE_TEST_SUITE_P(MiB, FileSizeTest, testing::Values(0, 1, 100, 16384),
                         testing::PrintToStringParamName());

// --- no memory file ------------------------------------------------------------------------------

int returns_nine(const void*, size_t, const mpc_ref*, size_t) { return 9; }

void must_work_by_fork() {
  mpc_process_options options = MPC_PROCESS_OPTIONS_INIT;
  options.start_method = MPC_START_FORK;
  MUST(ended(started(returns_nine, options)) == 9);
  mpc_pool* pool = pool_of(2, MPC_START_FORK);
  map_numbers(pool);
  end_pool(pool);
}

// Group memory is in no file then, and only a fork hands it on.
MPC_PROGRAM(host_whose_files_may_never_be_large) {
  Host host;
  HostState before = HostState::now();
  uint64_t bytes = std::stoull(arguments.at(0));
  rlimit both{bytes, bytes};
  MUST(setrlimit(RLIMIT_FSIZE, &both) == 0);
  for (mpc_start_method method : {MPC_START_SPAWN, MPC_START_FORKSERVER, MPC_START_PROGRAM}) {
    must_work_by_fork();
    mpc_process_options options = MPC_PROCESS_OPTIONS_INIT;
    options.start_method = method;
    options.program = method == MPC_START_PROGRAM ? "true" : nullptr;
    mpc_process* process;
    mpc_process_fn function = method == MPC_START_PROGRAM ? nullptr : returns_nine;
    MUST(mpc_process_create(function, &options, &process) == MPC_OK);
    MUST(KEEPS_ERRNO(mpc_process_start(process)) == MPC_ESYSTEM);
    MUST(last_message().find("RLIMIT_FSIZE") != std::string::npos);
    MUST(last_message().find("use fork") != std::string::npos);
    MUST(mpc_process_destroy(process) == MPC_OK);
    MUST(participants_now() == 1);
  }
  must_work_by_fork();
  MUST(mpc_group_leave() == MPC_OK);
  before.must_still_be();
  return 0;
}

class HardFileSizeTest : public testing::TestWithParam<uint64_t> {};
TEST_P(HardFileSizeTest, OnlyForkWorksAndTheOthersSayWhy) {
  expect_works("host_whose_files_may_never_be_large", {std::to_string(GetParam() * kMiB)});
}
INSTANTIATE_TEST_SUITE_P(MiB, HardFileSizeTest, testing::Values(0, 1, 31),
                         testing::PrintToStringParamName());

// --- strict accounting ---------------------------------------------------------------------------

constexpr const char* kOvercommit = "/proc/sys/vm/overcommit_memory";

// It is the whole machine's: besides this process another one puts it back, which nobody takes for
// a part of the test and ends with it.
class StrictOvercommit {
 public:
  StrictOvercommit() : before_(file_text(kOvercommit)) {
    if (pipe2(ends_, O_CLOEXEC) != 0) return;
    pid_t starter = fork();
    if (starter == 0) {
      setsid();
      pid_t guard = fork();
      if (guard != 0) _exit(guard > 0 ? 0 : 1);
      close(ends_[1]);
      char byte;
      while (read(ends_[0], &byte, 1) > 0) {
      }
      _exit(write_file(kOvercommit, before_) ? 0 : 1);
    }
    set_ = starter > 0 && wait_for(starter) == 0 && write_file(kOvercommit, "2\n");
  }
  ~StrictOvercommit() {
    if (set_ && !write_file(kOvercommit, before_)) ADD_FAILURE() << kOvercommit << " stays changed";
    close(ends_[0]);
    close(ends_[1]);
  }
  bool is_set() const { return set_; }

 private:
  std::string before_;
  int ends_[2] = {-1, -1};
  bool set_ = false;
};

MPC_PROGRAM(host_under_strict_overcommit) {
  Host host;
  if (arguments.size() > 0) limit(RLIMIT_FSIZE, 0);
  return host.use_library();
}

TEST(MemoryHostTest, MemoryIsCountedStrictly) {
  const char* ci = getenv("CI");
  if (ci == nullptr || strcmp(ci, "true") != 0) {
    GTEST_SKIP() << "overcommit_memory=2 holds for the whole machine: tried only where CI=true";
  }
  StrictOvercommit strict;
  if (!strict.is_set()) GTEST_SKIP() << "no right to write " << kOvercommit;
  expect_works("host_under_strict_overcommit");
  expect_works("host_under_strict_overcommit", {"no memory file"});
}

// --- memory cgroup -------------------------------------------------------------------------------

// A cgroup below this process's own.
class MemoryCgroup {
 public:
  explicit MemoryCgroup(uint64_t bytes) {
    std::string lines = file_text("/proc/self/cgroup");
    struct Hierarchy {
      const char* mount;
      const char* controller;
      const char* limit;
    };
    for (const Hierarchy& hierarchy :
         {Hierarchy{"/sys/fs/cgroup/memory", ":memory:", "memory.limit_in_bytes"},
          Hierarchy{"/sys/fs/cgroup", "0::", "memory.max"}}) {
      size_t at = lines.find(hierarchy.controller);
      if (at == std::string::npos) continue;
      at += strlen(hierarchy.controller);
      std::string own = lines.substr(at, lines.find('\n', at) - at);
      for (const std::string& parent : {own, std::string("")}) {
        std::string folder = hierarchy.mount + (parent == "/" ? "" : parent) + "/mpc-hosts-" +
                             std::to_string(getpid());
        if (mkdir(folder.c_str(), 0755) != 0) continue;
        if (write_file(folder + "/" + hierarchy.limit, std::to_string(bytes))) {
          folder_ = folder;
          return;
        }
        rmdir(folder.c_str());
      }
    }
  }
  ~MemoryCgroup() {
    if (!folder_.empty()) rmdir(folder_.c_str());
  }
  const std::string& folder() const { return folder_; }

 private:
  std::string folder_;
};

MPC_PROGRAM(host_in_a_memory_cgroup) {
  Host host;
  if (!write_file(arguments.at(0) + "/cgroup.procs", "0")) {
    not_here("no right to enter a memory cgroup");
  }
  uint64_t memory = std::stoull(arguments.at(1));
  host.use_group();
  mpc_group_stats before = stats_now();
  MUST(before.memory_limit == memory / 2);
  // Exhaustion is a status code, though every byte is written.
  std::vector<void*> blocks;
  void* address;
  mpc_status status;
  while ((status = mpc_group_alloc(kMiB, &address)) == MPC_OK) {
    memset(address, 1, kMiB);
    blocks.push_back(address);
    MUST(blocks.size() * kMiB <= memory);
  }
  MUST(status == MPC_EEXHAUSTED);
  MUST(blocks.size() >= memory / 2 / kMiB / 2);
  for (void* block : blocks) MUST(mpc_group_free(block) == MPC_OK);
  host.use_group();
  MUST(mpc_group_leave() == MPC_OK);
  return host.use_library();
}

TEST(MemoryHostTest, AMemoryCgroupIsSmallerThanTheMachine) {
  constexpr uint64_t kMemory = 128 * kMiB;
  MemoryCgroup cgroup(kMemory);
  if (cgroup.folder().empty()) GTEST_SKIP() << "no memory cgroup can be made below this one";
  expect_works("host_in_a_memory_cgroup", {cgroup.folder(), std::to_string(kMemory)});
}

}  // namespace
}  // namespace mpc::test
