// SPDX-License-Identifier: Apache-2.0
#include "process/setup.hpp"

#include <errno.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/flat_bytes.hpp"
#include "process/environment.hpp"

namespace mpc {
namespace {

constexpr uint32_t kVersion = 1;

Error folder_failure(const std::string& folder, int error_number) {
  return system_failure(("the change to the child's folder " + folder).c_str(), error_number);
}

Result<void> apply_process_group(uint32_t kind) {
  if (kind == MPC_PROCESS_GROUP_NEW && setpgid(0, 0) != 0) {
    return system_failure("setpgid() in the child", errno);
  }
  if (kind == MPC_PROCESS_GROUP_SESSION && setsid() < 0) {
    return system_failure("setsid() in the child", errno);
  }
  return {};
}

Result<void> apply_limit(const mpc_limit& limit) {
  rlimit both{limit.soft, limit.hard};
  if (setrlimit(static_cast<__rlimit_resource_t>(limit.resource), &both) == 0) return {};
  std::string call = "setrlimit() of resource " + std::to_string(limit.resource) + " in the child";
  return system_failure(call.c_str(), errno);
}

Result<void> apply_nice(int32_t increment) {
  if (increment == 0) return {};
  errno = 0;
  int now = getpriority(PRIO_PROCESS, 0);
  int64_t wanted = std::clamp<int64_t>(int64_t{now} + increment, -20, 19);
  if (errno == 0 && setpriority(PRIO_PROCESS, 0, static_cast<int>(wanted)) == 0) return {};
  std::string call = "setting the child's nice value to " + std::to_string(wanted);
  return system_failure(call.c_str(), errno);
}

Result<void> apply_cpus(const std::vector<uint32_t>& cpus) {
  if (cpus.empty()) return {};
  constexpr uint32_t kBits = 64;
  std::vector<uint64_t> mask(*std::max_element(cpus.begin(), cpus.end()) / kBits + 1);
  for (uint32_t cpu : cpus) mask[cpu / kBits] |= uint64_t{1} << (cpu % kBits);
  size_t size = mask.size() * sizeof mask[0];
  if (sched_setaffinity(0, size, reinterpret_cast<cpu_set_t*>(mask.data())) == 0) return {};
  return system_failure("binding the child to its CPUs", errno);
}

}  // namespace

bool ProcessSetup::empty() const {
  auto is_default = [](const StandardStream& stream) { return stream.kind == MPC_STDIO_DEFAULT; };
  return working_directory.empty() && !environment && process_group == MPC_PROCESS_GROUP_INHERIT &&
         nice == 0 && limits.empty() && cpus.empty() && descriptors.empty() &&
         std::all_of(streams.begin(), streams.end(), is_default);
}

std::string setup_pack(const ProcessSetup& setup) {
  FlatWriter writer(kVersion);
  writer.put_text(setup.working_directory);
  writer.put(static_cast<uint32_t>(setup.environment.has_value()));
  writer.put_text(setup.environment ? *setup.environment : std::string());
  for (const StandardStream& stream : setup.streams) {
    writer.put(stream.kind);
    writer.put(stream.descriptor);
    writer.put_text(stream.path);
  }
  writer.put(setup.process_group);
  writer.put(setup.nice);
  writer.put_list(setup.limits);
  writer.put_list(setup.cpus);
  writer.put_list(setup.descriptors);
  return writer.take();
}

Result<ProcessSetup> setup_unpack(std::string_view bytes) {
  FlatReader reader(bytes, kVersion);
  ProcessSetup setup;
  uint32_t has_environment = 0;
  reader.get_text(setup.working_directory);
  reader.get(has_environment);
  reader.get_text(setup.environment.emplace());
  for (StandardStream& stream : setup.streams) {
    reader.get(stream.kind);
    reader.get(stream.descriptor);
    reader.get_text(stream.path);
  }
  reader.get(setup.process_group);
  reader.get(setup.nice);
  reader.get_list(setup.limits);
  reader.get_list(setup.cpus);
  reader.get_list(setup.descriptors);
  if (!reader.done()) {
    return failure(MPC_EINTERNAL, "what a child is to be set up with is damaged (%zu bytes)",
                   bytes.size());
  }
  if (has_environment == 0) setup.environment.reset();
  return setup;
}

Result<void> setup_check(const ProcessSetup& setup) {
  const std::string& folder = setup.working_directory;
  if (folder.empty()) return {};
  struct stat st;
  if (stat(folder.c_str(), &st) != 0) return folder_failure(folder, errno);
  if (!S_ISDIR(st.st_mode)) return folder_failure(folder, ENOTDIR);
  if (eaccess(folder.c_str(), X_OK) != 0) return folder_failure(folder, errno);
  return {};
}

Result<void> setup_apply(const ProcessSetup& setup) {
  if (Result<void> group = apply_process_group(setup.process_group); !group) return group;
  for (const mpc_limit& limit : setup.limits) {
    if (Result<void> set = apply_limit(limit); !set) return set;
  }
  if (Result<void> nicer = apply_nice(setup.nice); !nicer) return nicer;
  if (Result<void> bound = apply_cpus(setup.cpus); !bound) return bound;
  const std::string& folder = setup.working_directory;
  if (!folder.empty() && chdir(folder.c_str()) != 0) return folder_failure(folder, errno);
  if (setup.environment) environment_replace(*setup.environment);
  return {};
}

}  // namespace mpc
