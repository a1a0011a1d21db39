// SPDX-License-Identifier: Apache-2.0
#include "process/usage.hpp"

namespace mpc {
namespace {

int64_t nanoseconds(const timeval& time) {
  return int64_t{time.tv_sec} * 1000000000 + int64_t{time.tv_usec} * 1000;
}

}  // namespace

mpc_process_usage usage_of(const rusage& used, bool core_dumped) {
  mpc_process_usage usage = MPC_PROCESS_USAGE_INIT;
  usage.known = 1;
  usage.core_dumped = core_dumped ? 1 : 0;
  usage.user_ns = nanoseconds(used.ru_utime);
  usage.system_ns = nanoseconds(used.ru_stime);
  usage.max_rss_bytes = static_cast<uint64_t>(used.ru_maxrss) * 1024;
  usage.minor_faults = static_cast<uint64_t>(used.ru_minflt);
  usage.major_faults = static_cast<uint64_t>(used.ru_majflt);
  usage.voluntary_switches = static_cast<uint64_t>(used.ru_nvcsw);
  usage.involuntary_switches = static_cast<uint64_t>(used.ru_nivcsw);
  return usage;
}

}  // namespace mpc
