// SPDX-License-Identifier: Apache-2.0
// Emulators answer madvise() without doing anything; what follows from it cannot be seen there.
#ifndef MPC_TESTS_UNIT_EMULATED_MADVISE_HPP
#define MPC_TESTS_UNIT_EMULATED_MADVISE_HPP

#include <sys/mman.h>

namespace mpc::test {

inline bool madvise_does_nothing() {
  constexpr size_t kSize = 65536;
  void* memory = mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return false;
  auto* bytes = static_cast<volatile char*>(memory);
  bytes[0] = 'x';
  bool nothing = madvise(memory, kSize, MADV_REMOVE) == 0 && bytes[0] == 'x';
  munmap(memory, kSize);
  return nothing;
}

}  // namespace mpc::test

#define MPC_SKIP_WHERE_MADVISE_DOES_NOTHING()         \
  if (mpc::test::madvise_does_nothing())              \
  GTEST_SKIP() << "an emulator whose madvise() does " \
                  "nothing"

#endif
