// SPDX-License-Identifier: Apache-2.0
#include "process/creator_state.hpp"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.hpp"
#include "base/flat_bytes.hpp"
#include "process/environment.hpp"

namespace mpc {
namespace {

constexpr uint32_t kVersion = 1;
constexpr size_t kMostCpus = 65536;

// Where others could make a file meanwhile it would be one that is too private, not one that is
// open to everybody.
uint32_t umask_by_setting_it() {
  mode_t mask = umask(077);
  umask(mask);
  return mask;
}

// Of the thread: they need not share it.
uint32_t umask_from_proc() {
  char text[512];
  Fd fd(open("/proc/thread-self/status", O_RDONLY | O_CLOEXEC));
  ssize_t n = fd ? read(fd.get(), text, sizeof text - 1) : -1;
  if (n <= 0) return umask_by_setting_it();
  text[n] = '\0';
  const char* line = strstr(text, "\nUmask:");
  return line == nullptr ? umask_by_setting_it()
                         : static_cast<uint32_t>(strtoul(line + strlen("\nUmask:"), nullptr, 8));
}

// The kernel's own call: the C library's makes up a path where there is none.
std::string working_directory_now() {
  char path[PATH_MAX];
  long size = syscall(SYS_getcwd, path, sizeof path);
  bool reachable = size > 1 && path[0] == '/';
  return reachable ? std::string(path, static_cast<size_t>(size) - 1) : std::string();
}

std::vector<uint64_t> cpus_now() {
  for (size_t cpus = 1024; cpus <= kMostCpus; cpus *= 2) {
    std::vector<uint64_t> mask(cpus / 64);
    long bytes = syscall(SYS_sched_getaffinity, 0, cpus / 8, mask.data());
    if (bytes > 0) {
      mask.resize(static_cast<size_t>(bytes) / sizeof mask[0]);
      return mask;
    }
  }
  return {};
}

uint64_t signal_mask_now() {
  uint64_t mask = 0;
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, nullptr, &mask, sizeof mask);
  return mask;
}

Result<void> apply_limits(const CreatorState& wanted, const CreatorState& present) {
  for (size_t i = 0; i < wanted.limits.size(); ++i) {
    if (wanted.limits[i] == present.limits[i]) continue;
    rlimit both{wanted.limits[i].soft, wanted.limits[i].hard};
    if (setrlimit(static_cast<__rlimit_resource_t>(i), &both) == 0) continue;
    std::string call = "setrlimit() of resource " + std::to_string(i) + " to the creator's";
    return system_failure(call.c_str(), errno);
  }
  return {};
}

Result<void> apply_cpus(const std::vector<uint64_t>& wanted, const std::vector<uint64_t>& present) {
  if (wanted == present || wanted.empty()) return {};
  if (syscall(SYS_sched_setaffinity, 0, wanted.size() * sizeof wanted[0], wanted.data()) == 0) {
    return {};
  }
  return system_failure("taking the creator's CPUs over", errno);
}

}  // namespace

CreatorState creator_state_now(bool single_threaded) {
  CreatorState state;
  state.working_directory = working_directory_now();
  state.environment = environment_text(environ);
  state.umask = single_threaded ? umask_by_setting_it() : umask_from_proc();
  state.nice = getpriority(PRIO_PROCESS, 0);
  state.signal_mask = signal_mask_now();
  for (size_t i = 0; i < state.limits.size(); ++i) {
    rlimit both{};
    getrlimit(static_cast<__rlimit_resource_t>(i), &both);
    state.limits[i] = CreatorLimit{both.rlim_cur, both.rlim_max};
  }
  state.cpus = cpus_now();
  return state;
}

std::string creator_state_pack(const CreatorState& state) {
  FlatWriter writer(kVersion);
  writer.put_text(state.working_directory);
  writer.put_text(state.environment);
  writer.put(state.umask);
  writer.put(state.nice);
  writer.put(state.signal_mask);
  writer.put(state.limits);
  writer.put_list(state.cpus);
  return writer.take();
}

Result<CreatorState> creator_state_unpack(std::string_view bytes) {
  FlatReader reader(bytes, kVersion);
  CreatorState state;
  reader.get_text(state.working_directory);
  reader.get_text(state.environment);
  reader.get(state.umask);
  reader.get(state.nice);
  reader.get(state.signal_mask);
  reader.get(state.limits);
  reader.get_list(state.cpus);
  if (!reader.done()) {
    return failure(MPC_EINTERNAL, "what a child is to have from its creator is damaged (%zu bytes)",
                   bytes.size());
  }
  return state;
}

Result<void> creator_state_apply(const CreatorState& wanted, const CreatorState& present) {
  const std::string& folder = wanted.working_directory;
  if (folder != present.working_directory && !folder.empty() && chdir(folder.c_str()) != 0) {
    return system_failure(("the change to the creator's folder " + folder).c_str(), errno);
  }
  if (wanted.umask != present.umask) umask(wanted.umask);
  if (Result<void> limits = apply_limits(wanted, present); !limits) return limits;
  if (Result<void> cpus = apply_cpus(wanted.cpus, present.cpus); !cpus) return cpus;
  if (wanted.nice != present.nice && setpriority(PRIO_PROCESS, 0, wanted.nice) != 0) {
    return system_failure("taking the creator's nice value over", errno);
  }
  if (wanted.environment != present.environment) environment_replace(wanted.environment);
  if (wanted.signal_mask != present.signal_mask) {
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &wanted.signal_mask, nullptr,
            sizeof wanted.signal_mask);
  }
  return {};
}

}  // namespace mpc
