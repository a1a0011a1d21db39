// SPDX-License-Identifier: Apache-2.0
#include "hosts/host.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <vector>

#include "support/start_method_test.hpp"

namespace mpc::test {
namespace {

constexpr int kNotHere = 77;
constexpr size_t kNumbers = 1000;
constexpr int kHighestDescriptor = 4096;

// Not one of these is ever sent by the host.
constexpr int kHandled[] = {SIGCHLD, SIGTERM, SIGINT, SIGPIPE, SIGHUP, SIGUSR1, SIGIO, SIGALRM};
void host_handler(int) {}

int square(const void* item, void* result) {
  int number = *static_cast<const int*>(item);
  *static_cast<int*>(result) = number * number;
  return 0;
}

constexpr int kDeadly = 3;
int dies_of_three(const void* item, void* result) {
  if (*static_cast<const int*>(item) == kDeadly) raise(SIGKILL);
  return square(item, result);
}

struct Shared {
  Count ready;
  Count go;
  std::atomic<int> sum{0};
};

int adds_when_told(const void* argument, size_t, const mpc_ref* refs, size_t) {
  mpc_block* block;
  MUST(mpc_block_attach(&refs[0], &block) == MPC_OK);
  auto* shared = static_cast<Shared*>(mpc_block_address(block));
  shared->ready.add();
  if (!shared->go.reaches(1)) return 1;
  shared->sum += argument_as<int>(argument);
  MUST(mpc_block_detach(block) == MPC_OK);
  return 7;
}

int waits_to_be_killed(const void*, size_t, const mpc_ref*, size_t) {
  for (;;) pause();
}

long thread_count() {
  DIR* threads = opendir("/proc/self/task");
  if (threads == nullptr) return 0;
  long count = 0;
  while (const dirent* entry = readdir(threads)) count += entry->d_name[0] != '.' ? 1 : 0;
  closedir(threads);
  return count;
}

bool same_action(const struct sigaction& one, const struct sigaction& other) {
  return one.sa_handler == other.sa_handler && one.sa_flags == other.sa_flags &&
         memcmp(&one.sa_mask, &other.sa_mask, sizeof(uint64_t)) == 0;
}

}  // namespace

HostState HostState::now() {
  HostState state;
  state.threads_ = thread_count();
  for (int fd = 0; fd < kHighestDescriptor; ++fd) {
    struct stat st;
    if (fstat(fd, &st) != 0) continue;
    state.descriptors_[fd] = {st.st_dev, st.st_ino, fcntl(fd, F_GETFD), fcntl(fd, F_GETFL),
                              lseek(fd, 0, SEEK_CUR)};
  }
  for (int signal = 1; signal < NSIG; ++signal) {
    struct sigaction action;
    if (sigaction(signal, nullptr, &action) == 0) state.actions_[signal] = action;
  }
  pthread_sigmask(SIG_SETMASK, nullptr, &state.mask_);
  char directory[4096];
  if (getcwd(directory, sizeof directory) != nullptr) state.directory_ = directory;
  state.locale_ = setlocale(LC_ALL, nullptr);
  state.umask_ = umask(0);
  umask(state.umask_);
  state.rounding_ = fegetround();
  state.traps_ = fegetexcept();
  return state;
}

void HostState::must_still_be() const {
  HostState after = now();
  for (const auto& [fd, descriptor] : after.descriptors_) {
    if (descriptors_.count(fd) != 0) continue;
    fprintf(stderr, "descriptor %d is new\n", fd);
    _exit(kMustFailed);
  }
  MUST(after.descriptors_ == descriptors_);
  for (const auto& [signal, action] : actions_) {
    if (same_action(action, after.actions_[signal])) continue;
    fprintf(stderr, "the disposition of signal %d was changed\n", signal);
    _exit(kMustFailed);
  }
  MUST(memcmp(&after.mask_, &mask_, sizeof(uint64_t)) == 0);
  MUST(after.directory_ == directory_);
  MUST(after.locale_ == locale_);
  MUST(after.umask_ == umask_);
  MUST(after.rounding_ == rounding_);
  MUST(after.traps_ == traps_);
  // The kernel says that a thread is gone a moment before it takes it off the list.
  int64_t deadline = now_ns() + kLongEnough;
  while (thread_count() > threads_) MUST(now_ns() < deadline);
}

Host::Host() {
  for (int signal : kHandled) {
    struct sigaction action;
    // The watchdog's stays.
    if (sigaction(signal, nullptr, &action) != 0 || action.sa_handler != SIG_DFL) continue;
    action = {};
    action.sa_handler = host_handler;
    action.sa_flags = SA_RESTART;
    sigaction(signal, &action, nullptr);
  }
  setlocale(LC_ALL, "C.UTF-8");
  umask(0153);
  if (chdir("/") != 0) _exit(kMustFailed);
  fesetround(FE_UPWARD);
}

mpc_pool* pool_of(uint32_t workers, mpc_start_method method) {
  mpc_pool_options options = MPC_POOL_OPTIONS_INIT;
  options.workers = workers;
  options.start_method = method;
  mpc_pool* pool;
  MUST(KEEPS_ERRNO(mpc_pool_create(&options, &pool)) == MPC_OK);
  return pool;
}

void map_numbers(mpc_pool* pool) {
  std::array<int, kNumbers> items;
  std::array<int, kNumbers> results;
  for (size_t i = 0; i < kNumbers; ++i) items[i] = static_cast<int>(i);
  results.fill(-1);
  MUST(KEEPS_ERRNO(mpc_pool_map(pool, square, items.data(), kNumbers, sizeof(int), results.data(),
                                sizeof(int), nullptr)) == MPC_OK);
  for (int i : items) MUST(results[static_cast<size_t>(i)] == i * i);
}

void lose_a_worker(mpc_pool* pool) {
  int item = kDeadly;
  int result;
  MUST(KEEPS_ERRNO(mpc_pool_map(pool, dies_of_three, &item, 1, sizeof item, &result, sizeof result,
                                nullptr)) == MPC_EWORKER_LOST);
}

void end_pool(mpc_pool* pool) {
  MUST(KEEPS_ERRNO(mpc_pool_close(pool)) == MPC_OK);
  MUST(KEEPS_ERRNO(mpc_pool_join(pool, MPC_FOREVER)) == MPC_OK);
  MUST(KEEPS_ERRNO(mpc_pool_destroy(pool)) == MPC_OK);
}

mpc_process* started(mpc_process_fn function, const mpc_process_options& options) {
  mpc_process* process;
  MUST(KEEPS_ERRNO(mpc_process_create(function, &options, &process)) == MPC_OK);
  MUST(KEEPS_ERRNO(mpc_process_start(process)) == MPC_OK);
  return process;
}

int ended(mpc_process* process) {
  int exit_code;
  MUST(KEEPS_ERRNO(mpc_process_join(process, MPC_FOREVER)) == MPC_OK);
  MUST(KEEPS_ERRNO(mpc_process_exit_code(process, &exit_code)) == MPC_OK);
  MUST(KEEPS_ERRNO(mpc_process_destroy(process)) == MPC_OK);
  return exit_code;
}

mpc_group_stats stats_now() {
  mpc_group_stats stats = MPC_GROUP_STATS_INIT;
  MUST(KEEPS_ERRNO(mpc_group_stats_get(&stats)) == MPC_OK);
  return stats;
}

uint64_t participants_now() { return stats_now().participants; }

void Host::map_under(mpc_start_method method) const {
  mpc_pool* pool = pool_of(2, method);
  map_numbers(pool);

  // A death in a worker's hands is noticed in this host too.
  constexpr size_t kItems = 8;
  std::array<int, kItems> items;
  std::array<int, kItems> results{};
  std::array<mpc_item_error, kItems> errors;
  for (size_t i = 0; i < kItems; ++i) items[i] = static_cast<int>(i);
  mpc_map_options options = MPC_MAP_OPTIONS_INIT;
  options.errors = errors.data();
  MUST(KEEPS_ERRNO(mpc_pool_map(pool, dies_of_three, items.data(), kItems, sizeof(int),
                                results.data(), sizeof(int), &options)) == MPC_EWORKER_LOST);
  for (int i : items) {
    auto index = static_cast<size_t>(i);
    if (i == kDeadly) {
      MUST(errors[index].status == MPC_EWORKER_LOST);
      int exit_code = errors[index].exit_code;
      MUST(exit_code == -SIGKILL || (exit_codes_ != ExitCodes::kTold && exit_code == 255));
    } else {
      MUST(errors[index].status == MPC_OK);
      MUST(results[index] == i * i);
    }
  }
  map_numbers(pool);
  end_pool(pool);
}

void Host::start_under(mpc_start_method method, bool alone) const {
  mpc_block* block;
  mpc_ref ref;
  MUST(KEEPS_ERRNO(mpc_block_create(sizeof(Shared), &block)) == MPC_OK);
  auto* shared = new (mpc_block_address(block)) Shared;
  MUST(KEEPS_ERRNO(mpc_block_ref(block, &ref)) == MPC_OK);
  uint64_t others = participants_now();

  int argument = 42;
  mpc_process_options options = MPC_PROCESS_OPTIONS_INIT;
  options.start_method = method;
  options.argument = &argument;
  options.argument_size = sizeof argument;
  options.refs = &ref;
  options.ref_count = 1;
  mpc_process* process = started(adds_when_told, options);
  MUST(shared->ready.reaches(1));
  // It lives, and nobody takes it for dead.
  uint32_t swept = 1;
  int alive = 0;
  MUST(KEEPS_ERRNO(mpc_group_sweep(&swept)) == MPC_OK);
  if (alone) MUST(swept == 0 && participants_now() == others + 1);
  MUST(KEEPS_ERRNO(mpc_process_is_alive(process, &alive)) == MPC_OK);
  MUST(alive == 1);
  MUST(KEEPS_ERRNO(mpc_process_join(process, 0)) == MPC_ETIMEDOUT);
  shared->go.set(1);
  MUST(ended(process) == 7);
  MUST(shared->sum == 42);
  if (alone) MUST(participants_now() == others);
  MUST(KEEPS_ERRNO(mpc_block_detach(block)) == MPC_OK);

  options = MPC_PROCESS_OPTIONS_INIT;
  options.start_method = method;
  process = started(waits_to_be_killed, options);
  MUST(KEEPS_ERRNO(mpc_process_kill(process)) == MPC_OK);
  int exit_code = ended(process);
  MUST(exit_code == -SIGKILL || (exit_codes_ != ExitCodes::kTold && exit_code == 255));
}

void Host::share_memory(bool alone) const {
  uint64_t blocks = stats_now().blocks;
  for (size_t size : {size_t{64}, size_t{100000}, size_t{3} << 20}) {
    void* address;
    MUST(KEEPS_ERRNO(mpc_group_alloc(size, &address)) == MPC_OK);
    memset(address, 0x5a, size);
    MUST(KEEPS_ERRNO(mpc_group_publish(address)) == MPC_OK);
    MUST(KEEPS_ERRNO(mpc_group_free(address)) == MPC_OK);
  }
  if (alone) MUST(stats_now().blocks == blocks);
}

void Host::use_group(bool alone) const {
  for (mpc_start_method method : start_methods()) {
    map_under(method);
    start_under(method, alone);
  }
  share_memory(alone);
}

int Host::use_library() const {
  HostState before = HostState::now();
  // The second time everything is made anew.
  for (int round = 0; round < 2; ++round) {
    use_group();
    errno = 0;
    // Where orphans come to this host, its fork server is one.
    MUST((waitpid(-1, nullptr, WNOHANG) == -1 && errno == ECHILD) || getpid() == 1);
    MUST(KEEPS_ERRNO(mpc_group_leave()) == MPC_OK);
    MUST(waitpid(-1, nullptr, WNOHANG) == -1 && errno == ECHILD);
    before.must_still_be();
  }
  return 0;
}

void not_here(const std::string& why) {
  fprintf(stderr, "%s", why.c_str());
  fflush(stderr);
  _exit(kNotHere);
}

namespace {

void expect_worked(const Ended& ended) {
  if (ended.exit_code == kNotHere) GTEST_SKIP() << ended.errors;
  EXPECT_EQ(ended, 0);
  EXPECT_EQ(ended.output, "");
  EXPECT_EQ(ended.errors, "");
}

}  // namespace

void expect_works(const char* program, const Arguments& arguments) {
  expect_worked(run_program(program, arguments));
}

void expect_works_under(mpc_start_method method, const char* program, const Arguments& arguments) {
  expect_worked(run_program_under(method, program, arguments));
}

namespace {

bool works_or_says_why_under(mpc_start_method method) {
  auto clear = [](mpc_status status) {
    if (status >= 0) return false;
    MUST(status == MPC_ESYSTEM || status == MPC_ENOMEM || status == MPC_EEXHAUSTED);
    MUST(last_message().size() > 20);
    return true;
  };
  if (clear(KEEPS_ERRNO(mpc_group_join()))) return false;
  mpc_pool_options options = MPC_POOL_OPTIONS_INIT;
  options.workers = 2;
  options.start_method = method;
  mpc_pool* pool;
  if (clear(KEEPS_ERRNO(mpc_pool_create(&options, &pool)))) return false;
  std::array<int, 100> items{};
  std::array<int, 100> results;
  items.fill(9);
  results.fill(-1);
  bool failed = clear(KEEPS_ERRNO(mpc_pool_map(pool, square, items.data(), items.size(),
                                               sizeof(int), results.data(), sizeof(int), nullptr)));
  if (!failed) MUST(std::all_of(results.begin(), results.end(), [](int n) { return n == 81; }));
  MUST(KEEPS_ERRNO(mpc_pool_destroy(pool)) == MPC_OK);
  void* address;
  if (clear(KEEPS_ERRNO(mpc_group_alloc(100000, &address)))) return false;
  memset(address, 1, 100000);
  MUST(KEEPS_ERRNO(mpc_group_free(address)) == MPC_OK);
  return !failed;
}

}  // namespace

bool works_or_says_why() {
  std::vector<mpc_start_method> methods = start_methods();
  return std::all_of(methods.begin(), methods.end(), works_or_says_why_under);
}

std::string file_text(const std::string& path) {
  std::string text;
  int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return text;
  char buffer[4096];
  ssize_t n;
  while ((n = read(fd, buffer, sizeof buffer)) > 0) text.append(buffer, static_cast<size_t>(n));
  close(fd);
  return text;
}

bool write_file(const std::string& path, const std::string& text) {
  int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  bool written = write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  close(fd);
  return written;
}

}  // namespace mpc::test
