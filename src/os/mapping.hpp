// SPDX-License-Identifier: Apache-2.0
// The memory file of a group and its mapping.
//
// One sparse, anonymous, sealed memory file. After it is mapped, memory is taken and given back
// through the mapping only: a program that closes descriptors it did not open may have given the
// number of ours to a file of its own.
#ifndef MPC_OS_MAPPING_HPP
#define MPC_OS_MAPPING_HPP

#include <cstddef>
#include <cstdint>

#include "base/result.hpp"

namespace mpc {

struct Mapping {
  char* base = nullptr;
  uint64_t size = 0;
  int fd = -1;  // -1 where the file has none (see below); may have been closed by the program
  unsigned long device = 0;
  unsigned long inode = 0;  // 0 where it cannot be told
};

// Clear of where sanitizers and the loader put things; 0 elsewhere than on 64-bit Linux.
inline constexpr uintptr_t kGroupAddress = 0x7e8000000000;

// Makes a memory file and maps it: `wanted` bytes, halved until they fit, but not below `least`.
//
// What it minds: RLIMIT_FSIZE (sizing a file beyond it is a fatal signal: a helper process does it;
// where the hard limit is below `least` the memory has no descriptor), RLIMIT_AS (at most a quarter
// is taken), mlockall(MCL_FUTURE) (the mapping would be filled at once: it is made without access,
// unlocked, then opened), core dumps (left out of them).
Result<Mapping> map_group_memory(uint64_t wanted, uint64_t least);

// Maps a memory file that another process made, at the same address if that is free here. Takes the
// descriptor over.
Result<Mapping> attach_group_memory(int fd, uintptr_t base, uint64_t size);

// As attach_group_memory(), but at no other address.
Result<Mapping> attach_group_memory_there(int fd, uintptr_t base, uint64_t size);

// Whether a descriptor is that of a memory file which nobody can resize, so that to read within its
// `out_size` bytes is safe.
bool is_sealed_memory(int fd, uint64_t& out_size);

void unmap_group_memory(Mapping& mapping);

// Backs the pages from `address` on; false where the kernel has no memory for them. Their contents
// stay. Address and size need not be aligned.
bool populate(void* address, size_t size);

// Gives the whole pages within back to the system; they read as zero from then on.
void give_back(void* address, size_t size);

}  // namespace mpc

#endif
