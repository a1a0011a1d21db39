// SPDX-License-Identifier: Apache-2.0
// A process of the soak: four threads that do every operation of the library in a random order,
// check what comes of it, and keep their ledger where it outlives them.
#ifndef MPC_TESTS_KILL_SOAK_WORKER_HPP
#define MPC_TESTS_KILL_SOAK_WORKER_HPP

#include <atomic>
#include <cstdint>

#include <mpc/mpc.h>

namespace kill_tests {

inline constexpr uint32_t kSoakThreads = 4;
inline constexpr size_t kSoakBlock = 300;

struct SoakThread {
  alignas(64) std::atomic<uint32_t> inside;  // in a call of the library
  std::atomic<uint64_t> operations;          // done
  // The block that it may have published, and the number written into it.
  std::atomic<char*> published;
  std::atomic<uint64_t> number;
};

struct SoakProcess {
  SoakThread threads[kSoakThreads];
  std::atomic<uint64_t> lost_items;  // told as lost by maps, and each killed its worker
};

// Never returns. `shared` is attached and detached by all.
[[noreturn]] void soak_process(SoakProcess& self, const mpc_ref& shared, uint64_t seed);

}  // namespace kill_tests

#endif
