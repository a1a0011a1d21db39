// SPDX-License-Identifier: Apache-2.0
#include "kernel_stand_in.hpp"

#include <sys/mman.h>
#include <sys/types.h>
#include <time.h>

namespace {

mpc::model::Interleaver* interleaver = nullptr;
mpc::Mapping memory;
uint64_t heap = 0;
int32_t actor = 0;

}  // namespace

extern "C" {

pid_t __real_getpid();
int __real_clock_gettime(clockid_t clock, timespec* out);
int __real_madvise(void* address, size_t size, int advice);

pid_t __wrap_getpid() {
  if (interleaver == nullptr) return __real_getpid();
  return interleaver->self() >= 0 ? mpc::model::kPids + interleaver->self() : actor;
}

// Time would make each run of the same steps a different one.
int __wrap_clock_gettime(clockid_t clock, timespec* out) {
  if (interleaver == nullptr || !interleaver->exploring()) return __real_clock_gettime(clock, out);
  *out = {1, 0};
  return 0;
}

int __wrap_madvise(void* address, size_t size, int advice) {
  if (interleaver == nullptr) return __real_madvise(address, size, advice);
  // Backing pages changes nothing that a participant can see: the first touch does it as well.
  if (advice != MADV_REMOVE) return 0;
  interleaver->empty(address, size);
  // The heap's contents are only those words that a model has put there; the rest is not looked
  // at, and a system call for each step that gives a region back would be most of the time.
  const bool in_heap = static_cast<char*>(address) >= memory.base + heap;
  return in_heap ? 0 : __real_madvise(address, size, advice);
}

}  // extern "C"

namespace mpc::model {

KernelStandIn::KernelStandIn(Interleaver* with, const Mapping& mapping, uint64_t heap_offset) {
  interleaver = with;
  memory = mapping;
  heap = heap_offset;
  actor = kObserverPid;
}

KernelStandIn::~KernelStandIn() { interleaver = nullptr; }

void KernelStandIn::act_as(int32_t pid) { actor = pid; }

bool KernelStandIn::is_dead(int32_t pid) {
  if (pid == kDeadPid) return true;
  if (pid < kPids || pid >= kObserverPid) return false;
  return interleaver->is_dead(pid - kPids);
}

}  // namespace mpc::model
