// SPDX-License-Identifier: Apache-2.0
#include "process/launch_image.hpp"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "os/fresh_clone.hpp"
#include "os/null_device.hpp"
#include "os/raw_syscall.hpp"
#include "os/signals.hpp"
#include "process/setup.hpp"

namespace mpc {
namespace {

constexpr int kCannotBegin = 255;
constexpr size_t kStackSize = size_t{16} * 1024;
constexpr int kNiceBias = 20;  // of what the kernel's getpriority() answers

// In .bss: nothing is mapped and unmapped for a start, and two pages of it are ever touched.
alignas(64) char child_stack[kStackSize];

struct Range {
  unsigned first;
  unsigned last;
};

// All that the child does, as plain data: it has this process's memory, and runs on a stack that
// nothing else knows.
struct Steps {
  const ImageStart* start;
  const Range* closed;  // sorted
  size_t closed_count;
  const int* open_numbers;  // where close_range() is not to be had: those to close. Else null.
  size_t open_count;
  const uint64_t* cpus;
  size_t cpu_bytes;
  bool has_input;
  int null_device;  // -1: to be opened
  bool handlers_reset;
  sigset_t mask;  // of the thread that starts it
  // What failed, and why, where the image could not begin.
  const char* failed;
  long error;
};

// Notes the first failure. True if it is none.
[[gnu::always_inline]] inline bool good(Steps& steps, long result, const char* what) {
  if (result >= 0) return true;
  steps.failed = what;
  steps.error = -result;
  return false;
}

template <class T>
[[gnu::always_inline]] inline long address(T* pointer) {
  return reinterpret_cast<long>(pointer);
}

[[gnu::always_inline]] inline long null_input(int kept) {
  if (kept >= 0 && raw_syscall(SYS_dup3, kept, STDIN_FILENO, 0) >= 0) return 0;
  long fd = raw_syscall(SYS_openat, AT_FDCWD, address("/dev/null"), O_RDWR);
  if (fd <= STDIN_FILENO) return fd;
  long result = raw_syscall(SYS_dup3, fd, STDIN_FILENO, 0);
  raw_syscall(SYS_close, fd);
  return result;
}

[[gnu::always_inline]] inline bool put_descriptors(Steps& steps) {
  if (!steps.has_input && !good(steps, null_input(steps.null_device), "opening /dev/null"))
    return false;
  const std::pair<int, int>* pair = steps.start->descriptors.data();
  for (size_t left = steps.start->descriptors.size(); left > 0; --left, ++pair) {
    long result = pair->first == pair->second ? raw_syscall(SYS_fcntl, pair->second, F_SETFD, 0)
                                              : raw_syscall(SYS_dup3, pair->first, pair->second, 0);
    if (!good(steps, result, "placing a descriptor")) return false;
  }
  for (size_t i = 0; i < steps.open_count; ++i) raw_syscall(SYS_close, steps.open_numbers[i]);
  for (size_t i = 0; steps.open_numbers == nullptr && i < steps.closed_count; ++i) {
    long result = raw_syscall(SYS_close_range, steps.closed[i].first, steps.closed[i].last, 0);
    if (!good(steps, result, "close_range")) return false;
  }
  return true;
}

// From here on the child dies with its parent. One that is dead by now is noticed here.
[[gnu::always_inline]] inline bool tie(Steps& steps) {
  int fd = steps.start->tie;
  if (fd < 0) return true;
  if (!good(steps, raw_syscall(SYS_fcntl, fd, F_SETOWN, raw_syscall(SYS_getpid)), "F_SETOWN")) {
    return false;
  }
#if MPC_PLANT_FAULT == 7
  raw_syscall(SYS_fcntl, fd, F_SETFL, O_NONBLOCK);
#endif
  pollfd hung_up{fd, 0, 0};
  timespec now{};
  return raw_syscall(SYS_ppoll, address(&hung_up), 1, address(&now), 0, 0) != 1 ||
         good(steps, -ESRCH, "a tie to its parent");
}

[[gnu::always_inline]] inline bool set_up(Steps& steps) {
  const ImageStart& start = *steps.start;
  if (start.leads_group && !good(steps, raw_syscall(SYS_setpgid, 0, 0), "setpgid")) return false;
  const ProcessSetup* setup = start.setup;
  if (setup == nullptr) return true;
  if (setup->process_group == MPC_PROCESS_GROUP_SESSION &&
      !good(steps, raw_syscall(SYS_setsid), "setsid")) {
    return false;
  }
  const mpc_limit* limit = setup->limits.data();
  for (size_t left = setup->limits.size(); left > 0; --left, ++limit) {
    // The kernel's struct is the last two of ours.
    long result = raw_syscall(SYS_prlimit64, 0, limit->resource, address(&limit->soft), 0);
    if (!good(steps, result, "setrlimit")) return false;
  }
  if (setup->nice != 0) {
    long now = kNiceBias - raw_syscall(SYS_getpriority, PRIO_PROCESS, 0);
    long wanted = now + setup->nice;
    wanted = wanted < -20 ? -20 : wanted > 19 ? 19 : wanted;
    long result = raw_syscall(SYS_setpriority, PRIO_PROCESS, 0, wanted);
    if (!good(steps, result, "setting its nice value")) return false;
  }
  if (steps.cpu_bytes > 0) {
    long result = raw_syscall(SYS_sched_setaffinity, 0, static_cast<long>(steps.cpu_bytes),
                              address(steps.cpus));
    if (!good(steps, result, "binding it to its CPUs")) return false;
  }
  return setup->working_directory.empty() ||
         good(steps, raw_syscall(SYS_chdir, address(setup->working_directory.c_str())),
              "the change to its folder");
}

// Runs on the memory of the thread that waits for it. Nothing is instrumented: it does not return.
__attribute__((no_sanitize("address"), no_sanitize("thread"), no_sanitize("undefined"),
               noinline)) int
become_image(void* data) {
  Steps& steps = *static_cast<Steps*>(data);
  const ImageStart& start = *steps.start;
  if (!steps.handlers_reset) signals_reset(signals_handled());
  interrupt_ignore(false);
  if (put_descriptors(steps) && set_up(steps) && tie(steps)) {
    raw_syscall(SYS_rt_sigprocmask, SIG_SETMASK, address(&steps.mask), 0, sizeof(uint64_t));
    long error = raw_syscall(SYS_execve, address(start.path.c_str()),
                             address(start.arguments.data()), address(start.environment.data()));
    good(steps, error, "");
  }
  raw_syscall(SYS_exit_group, kCannotBegin);
  return kCannotBegin;
}

// Every number above standard error that is given nothing.
std::vector<Range> closed_ranges(const ImageStart& start) {
  std::vector<unsigned> given;
  for (const auto& [fd, number] : start.descriptors) {
    if (number > STDERR_FILENO) given.push_back(static_cast<unsigned>(number));
  }
  std::sort(given.begin(), given.end());
  std::vector<Range> ranges;
  unsigned first = STDERR_FILENO + 1;
  for (unsigned number : given) {
    if (number > first) ranges.push_back({first, number - 1});
    first = number + 1;
  }
  ranges.push_back({first, ~0u});
  return ranges;
}

bool is_given(const ImageStart& start, int number) {
  return std::any_of(start.descriptors.begin(), start.descriptors.end(),
                     [&](const auto& pair) { return pair.second == number; });
}

// Every descriptor that an exec would leave open, and that is not given.
std::vector<int> to_close_one_by_one(const ImageStart& start) {
  std::vector<int> found;
  DIR* entries = opendir("/proc/self/fd");
  if (entries == nullptr) return found;
  while (const dirent* entry = readdir(entries)) {
    int fd = atoi(entry->d_name);
    int flags = fd > STDERR_FILENO && !is_given(start, fd) ? fcntl(fd, F_GETFD) : -1;
    if (flags >= 0 && (flags & FD_CLOEXEC) == 0) found.push_back(fd);
  }
  closedir(entries);
  return found;
}

Error failure_of(const ImageStart& start, const Steps& steps) {
  std::string what = steps.failed;
  int error = static_cast<int>(steps.error);
  // The kernel holds an exec to the limit of processes too, where a change of the user went beyond.
  if (what.empty()) return no_process_failure(("executing " + start.path).c_str(), error);
  return system_failure((what + " for " + start.path).c_str(), error);
}

Result<int32_t> attempt(Steps& steps) {
  // A handler that ran in the child would run on this thread's memory.
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &steps.mask);
  long pid = fresh_clone(become_image, &steps, child_stack, kStackSize, steps.handlers_reset);
  pthread_sigmask(SIG_SETMASK, &steps.mask, nullptr);
  if (pid < 0) return no_process_failure("starting a fresh process", static_cast<int>(-pid));
  if (steps.failed == nullptr) return static_cast<int32_t>(pid);
  siginfo_t info;
  while (waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED) != 0 && errno == EINTR) {
  }
  return failure_of(*steps.start, steps);
}

}  // namespace

Result<int32_t> launch_image(const ImageStart& start) {
  std::vector<Range> closed = closed_ranges(start);
  std::vector<uint64_t> cpus;
  if (start.setup != nullptr) cpus = setup_cpu_mask(*start.setup);
  Steps steps{};
  steps.start = &start;
  steps.closed = closed.data();
  steps.closed_count = closed.size();
  steps.cpus = cpus.data();
  steps.cpu_bytes = cpus.size() * sizeof cpus[0];
  steps.has_input = is_given(start, STDIN_FILENO);
  steps.null_device = null_device_number();
  Result<int32_t> pid = attempt(steps);
  bool lacks_close_range = steps.failed != nullptr && std::string(steps.failed) == "close_range" &&
                           (steps.error == ENOSYS || steps.error == EPERM);
  if (!lacks_close_range) return pid;
  // A sandbox whose profile is older than close_range().
  std::vector<int> open_numbers = to_close_one_by_one(start);
  open_numbers.push_back(-1);  // never empty: its address tells that this is the way
  steps.open_numbers = open_numbers.data();
  steps.open_count = open_numbers.size();
  steps.failed = nullptr;
  return attempt(steps);
}

}  // namespace mpc
