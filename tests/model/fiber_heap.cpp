// SPDX-License-Identifier: Apache-2.0
// operator new and delete of the model tests: a running fiber allocates from its own room, so that
// what it allocated is copied and put back with its stack.
#include <cstdint>
#include <cstdlib>
#include <new>

#include "fiber.hpp"

namespace {

using mpc::model::Fiber;

void* allocate(size_t size, size_t alignment) {
  void* place = nullptr;
  if (Fiber* fiber = Fiber::current()) {
    place = fiber->heap_allocate(size, alignment);
  } else if (alignment <= alignof(max_align_t)) {
    place = std::malloc(size > 0 ? size : 1);
  } else {
    place = std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
  }
  if (place == nullptr) throw std::bad_alloc();
  return place;
}

void release(void* place) {
  if (place == nullptr) return;
  Fiber* fiber = Fiber::current();
  if (fiber != nullptr && fiber->contains(place)) {
    fiber->heap_free();
  } else {
    std::free(place);
  }
}

}  // namespace

void* operator new(size_t size) { return allocate(size, alignof(max_align_t)); }
void* operator new[](size_t size) { return allocate(size, alignof(max_align_t)); }
void* operator new(size_t size, std::align_val_t alignment) {
  return allocate(size, static_cast<size_t>(alignment));
}
void* operator new[](size_t size, std::align_val_t alignment) {
  return allocate(size, static_cast<size_t>(alignment));
}
void operator delete(void* place) noexcept { release(place); }
void operator delete[](void* place) noexcept { release(place); }
void operator delete(void* place, size_t) noexcept { release(place); }
void operator delete[](void* place, size_t) noexcept { release(place); }
void operator delete(void* place, std::align_val_t) noexcept { release(place); }
void operator delete[](void* place, std::align_val_t) noexcept { release(place); }
void operator delete(void* place, size_t, std::align_val_t) noexcept { release(place); }
void operator delete[](void* place, size_t, std::align_val_t) noexcept { release(place); }
