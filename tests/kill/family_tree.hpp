// SPDX-License-Identifier: Apache-2.0
// A tree of processes three generations deep under a root, each with two children, of mixed start
// methods; and two detached processes, which are nobody's. A program of the last generation is one
// that never loads the library.
#ifndef MPC_TESTS_KILL_FAMILY_TREE_HPP
#define MPC_TESTS_KILL_FAMILY_TREE_HPP

#include <atomic>
#include <cstdint>

#include <mpc/mpc.h>

namespace kill_tests {

inline constexpr uint32_t kGenerations = 3;
inline constexpr uint32_t kMembers = 15;  // the root is 0, the children of i are 2i+1 and 2i+2
inline constexpr uint32_t kDetached = 2;  // of the root, and of member 1
inline constexpr uint32_t kStarts = kMembers - 1 + kDetached;

// In a block of group memory.
struct FamilyBoard {
  std::atomic<int32_t> pids[kMembers];  // 0: it has not come so far
  std::atomic<int32_t> detached[kDetached];
  std::atomic<uint32_t> begun;  // starts
  std::atomic<uint32_t> done;
};

inline uint32_t generation_of(uint32_t member) {
  uint32_t generation = 0;
  for (; member > 0; member = (member - 1) / 2) ++generation;
  return generation;
}

inline bool descends_from(uint32_t member, uint32_t ancestor) {
  while (member > ancestor) member = (member - 1) / 2;
  return member == ancestor;
}

// SIGUSR1: calls _exit(). SIGUSR2: calls abort().
inline constexpr int kExitSignal = 10;
inline constexpr int kAbortSignal = 12;

// The root's life, which does not end by itself. Its children are started by `method`, those of
// later generations by one after the other.
[[noreturn]] void live_as_root(mpc_start_method method, const mpc_ref& board);

}  // namespace kill_tests

#endif
