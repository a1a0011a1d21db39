// SPDX-License-Identifier: Apache-2.0
// The interleaver in the place of the kernel: the linker sends the library's calls here.
#ifndef MPC_TESTS_MODEL_KERNEL_STAND_IN_HPP
#define MPC_TESTS_MODEL_KERNEL_STAND_IN_HPP

#include <cstdint>

#include "interleaver.hpp"
#include "os/mapping.hpp"

namespace mpc::model {

// No process has a pid like these.
inline constexpr int32_t kPids = 1 << 30;
inline constexpr int32_t kObserverPid = kPids + 1000;
inline constexpr int32_t kDeadPid = kPids + 1001;

// While one exists, getpid, clock_gettime and madvise are the model's.
class KernelStandIn {
 public:
  KernelStandIn(Interleaver* interleaver, const Mapping& mapping, uint64_t heap_offset);
  ~KernelStandIn();
  KernelStandIn(const KernelStandIn&) = delete;
  KernelStandIn& operator=(const KernelStandIn&) = delete;

  // Who calls while the interleaver runs nobody.
  static void act_as(int32_t pid);
  static bool is_dead(int32_t pid);
};

}  // namespace mpc::model

#endif
