// SPDX-License-Identifier: Apache-2.0
#include "process_setup.hpp"

#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <set>

#include "boundary.hpp"
#include "process/environment.hpp"

namespace mpc {
namespace {

constexpr uint32_t kMostCpus = 65536;

Result<void> check_open(int32_t fd, const char* what) {
  if (fd >= 0 && fcntl(fd, F_GETFD) >= 0) return {};
  return failure(MPC_EINVAL,
                 "%s names the descriptor %d, which is not open; it has to be until the start",
                 what, fd);
}

Result<StandardStream> take_stream(const mpc_stdio& stream, const char* what, bool input) {
  bool file = stream.kind == MPC_STDIO_FILE || stream.kind == MPC_STDIO_APPEND;
  if (stream.kind > MPC_STDIO_DESCRIPTOR) {
    return failure(MPC_EINVAL, "%s has the kind %u; use one of MPC_STDIO_...", what, stream.kind);
  }
  if (input && stream.kind == MPC_STDIO_APPEND) {
    return failure(MPC_EINVAL, "%s cannot be appended to; use MPC_STDIO_FILE", what);
  }
  if (file != (stream.path != nullptr && *stream.path != '\0')) {
    return failure(MPC_EINVAL,
                   file ? "%s is a file and has no path; set it"
                        : "%s has a path and is no file; set the kind MPC_STDIO_FILE",
                   what);
  }
  if (stream.kind == MPC_STDIO_DESCRIPTOR) {
    if (Result<void> open = check_open(stream.descriptor, what); !open) return open.error();
  } else if (stream.descriptor != 0) {
    return failure(MPC_EINVAL, "%s has a descriptor; set the kind MPC_STDIO_DESCRIPTOR, or 0",
                   what);
  }
  return StandardStream{stream.kind, stream.descriptor, file ? stream.path : ""};
}

Result<std::string> take_environment(const char* const* environment) {
  for (size_t i = 0; environment[i] != nullptr; ++i) {
    const char* equals = strchr(environment[i], '=');
    if (equals == nullptr || equals == environment[i]) {
      return failure(MPC_EINVAL, "environment[%zu] is \"%.80s\"; each is NAME=VALUE", i,
                     environment[i]);
    }
  }
  return environment_text(environment);
}

Result<void> check_limits(const std::vector<mpc_limit>& limits) {
  std::set<uint32_t> seen;
  for (size_t i = 0; i < limits.size(); ++i) {
    const mpc_limit& limit = limits[i];
    if (limit.resource >= RLIM_NLIMITS) {
      return failure(MPC_EINVAL,
                     "limits[%zu] is of resource %u, which there is not; use RLIMIT_...", i,
                     limit.resource);
    }
    if (limit.soft > limit.hard) {
      return failure(MPC_EINVAL, "limits[%zu] has a soft limit above its hard one; lower it", i);
    }
    if (limit.reserved != 0) return failure(MPC_EINVAL, "limits[%zu].reserved is not 0", i);
    if (!seen.insert(limit.resource).second) {
      return failure(MPC_EINVAL, "limits[%zu] is of resource %u, as one before it; leave one out",
                     i, limit.resource);
    }
  }
  return {};
}

Result<void> check_cpus(const std::vector<uint32_t>& cpus) {
  for (size_t i = 0; i < cpus.size(); ++i) {
    if (cpus[i] >= kMostCpus) {
      return failure(MPC_EINVAL, "cpus[%zu] is %u; no machine has it", i, cpus[i]);
    }
  }
  return {};
}

Result<void> check_descriptors(const std::vector<mpc_descriptor>& descriptors) {
  std::set<int32_t> seen;
  for (size_t i = 0; i < descriptors.size(); ++i) {
    std::string what = "descriptors[" + std::to_string(i) + "]";
    if (Result<void> open = check_open(descriptors[i].parent, what.c_str()); !open) return open;
    if (descriptors[i].child <= STDERR_FILENO) {
      return failure(MPC_EINVAL,
                     "%s is to be the child's %d; below 3 use standard_input, _output and _error",
                     what.c_str(), descriptors[i].child);
    }
    if (!seen.insert(descriptors[i].child).second) {
      return failure(MPC_EINVAL,
                     "%s is to be the child's %d, as one before it; take another number",
                     what.c_str(), descriptors[i].child);
    }
  }
  return {};
}

template <class T>
Result<std::vector<T>> take_array(const T* values, size_t count, const char* what) {
  if (values == nullptr && count > 0) return null_argument(what);
  return std::vector<T>(values, values + count);
}

}  // namespace

Result<std::unique_ptr<const ProcessSetup>> take_setup(const mpc_process_options& options) {
  auto setup = std::make_unique<ProcessSetup>();
  if (options.working_directory != nullptr) {
    setup->working_directory = options.working_directory;
    if (setup->working_directory.empty()) {
      return failure(MPC_EINVAL, "working_directory is empty; NULL is the creator's");
    }
  }
  if (options.environment != nullptr) {
    Result<std::string> environment = take_environment(options.environment);
    if (!environment) return environment.error();
    setup->environment = std::move(*environment);
  }
  const std::pair<const mpc_stdio*, const char*> streams[] = {
      {&options.standard_input, "standard_input"},
      {&options.standard_output, "standard_output"},
      {&options.standard_error, "standard_error"}};
  for (size_t i = 0; i < setup->streams.size(); ++i) {
    Result<StandardStream> stream = take_stream(*streams[i].first, streams[i].second, i == 0);
    if (!stream) return stream.error();
    setup->streams[i] = std::move(*stream);
  }
  if (options.process_group > MPC_PROCESS_GROUP_SESSION) {
    return failure(MPC_EINVAL, "process_group is %u; use one of MPC_PROCESS_GROUP_...",
                   options.process_group);
  }
  setup->process_group = options.process_group;
  setup->nice = options.nice;

  Result<std::vector<mpc_limit>> limits = take_array(options.limits, options.limit_count, "limits");
  if (!limits) return limits.error();
  if (Result<void> good = check_limits(*limits); !good) return good.error();
  setup->limits = std::move(*limits);
  Result<std::vector<uint32_t>> cpus = take_array(options.cpus, options.cpu_count, "cpus");
  if (!cpus) return cpus.error();
  if (Result<void> good = check_cpus(*cpus); !good) return good.error();
  setup->cpus = std::move(*cpus);
  Result<std::vector<mpc_descriptor>> descriptors =
      take_array(options.descriptors, options.descriptor_count, "descriptors");
  if (!descriptors) return descriptors.error();
  if (Result<void> good = check_descriptors(*descriptors); !good) return good.error();
  setup->descriptors = std::move(*descriptors);

  std::unique_ptr<const ProcessSetup> chosen;
  if (!setup->empty()) chosen = std::move(setup);
  return chosen;
}

}  // namespace mpc
