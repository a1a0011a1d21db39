// SPDX-License-Identifier: Apache-2.0
// Parts of the C++ runtime, in place of those of the static libstdc++. Two of them would run a
// constructor in every program that only links the library: one allocates 73 KB for exceptions that
// are thrown where memory is short, the other sets up error categories, and registers their
// destructors, for a std::system_error that is never thrown. The third prints before it aborts, and
// brings a demangler with it. Together they were half of what linking the library costs a small
// program at its start.
//
// The functions are those of the Itanium C++ ABI, 2.4. What libstdc++ keeps in front of a thrown
// object is __cxa_refcounted_exception of its unwind-cxx.h: 128 bytes where pointers have 8.
#include <stdlib.h>
#include <string.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <new>
#include <stdexcept>

namespace {

static_assert(sizeof(void*) == 8, "the size of the header is known for 64 bits alone");
constexpr size_t kHeader = 128;

// For the exceptions of threads that find no memory: one each, and seldom at the same time.
constexpr size_t kReserve = 512;
constexpr uint32_t kReserves = 16;
alignas(16) unsigned char reserves[kReserves][kReserve];
constinit std::atomic<uint32_t> reserves_taken{0};

void* take_reserve(size_t size) {
  if (size > kReserve) return nullptr;
  uint32_t taken = reserves_taken.load();
  for (uint32_t i = 0; i < kReserves;) {
    if ((taken >> i & 1) != 0) {
      ++i;
    } else if (reserves_taken.compare_exchange_weak(taken, taken | 1u << i)) {
      return reserves[i];
    }
  }
  return nullptr;
}

void* allocate(size_t size) {
  void* memory = malloc(size);
  if (memory == nullptr) memory = take_reserve(size);
  if (memory == nullptr) std::terminate();
  memset(memory, 0, kHeader);
  return memory;
}

void release(void* memory) {
  auto* bytes = static_cast<unsigned char*>(memory);
  if (bytes >= reserves[0] && bytes < reserves[0] + sizeof reserves) {
    reserves_taken.fetch_and(~(1u << ((bytes - reserves[0]) / kReserve)));
  } else {
    free(memory);
  }
}

}  // namespace

// The library's own: the archive's stand at the end of the code, two pages away from all else that
// a fresh child runs.
[[gnu::hot]] void* operator new(size_t size) {
  void* memory = malloc(size != 0 ? size : 1);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

[[gnu::hot]] void operator delete(void* memory) noexcept { free(memory); }
[[gnu::hot]] void operator delete(void* memory, size_t) noexcept { free(memory); }

extern "C" {

void* __cxa_allocate_exception(size_t size) noexcept {
  return static_cast<unsigned char*>(allocate(kHeader + size)) + kHeader;
}

void __cxa_free_exception(void* thrown) noexcept {
  release(static_cast<unsigned char*>(thrown) - kHeader);
}

void* __cxa_allocate_dependent_exception() noexcept { return allocate(kHeader); }

void __cxa_free_dependent_exception(void* dependent) noexcept { release(dependent); }
}

namespace __gnu_cxx {

// The default of std::terminate().
void __verbose_terminate_handler() { abort(); }

}  // namespace __gnu_cxx

namespace std {

// What a lock of the standard library says where the system refuses it.
void __throw_system_error(int) { throw runtime_error("a lock of a thread was refused"); }

}  // namespace std
