// SPDX-License-Identifier: Apache-2.0
// The table behind the opaque handles of the C API.
//
// A handle is a number in the shape of a pointer: place in the table, kind, and a tag that is new
// each time that a place is used. It is never dereferenced, so a used-up, foreign or invented one
// is told from a good one. Places are used again but never freed.
//
// A call pins its handle; what is closed while others have it pinned is deleted by the last of
// them.
#ifndef MPC_BASE_HANDLES_HPP
#define MPC_BASE_HANDLES_HPP

#include <cstddef>
#include <cstdint>
#include <utility>

namespace mpc {

enum class HandleKind : uint8_t { kBlock = 1, kProcess = 2, kPool = 3, kFinalizer = 32 };

// Takes `object` over; `free_object` deletes it in the end. Null where memory is used up.
void* handle_open(HandleKind kind, void* object, void (*free_object)(void*));

// The object behind a handle, kept until handle_unpin(); null if it is not such a handle.
void* handle_pin(HandleKind kind, const void* handle);
void handle_unpin(const void* handle);

// From now on the handle is used up. False if it was.
bool handle_close(HandleKind kind, const void* handle);

// How many are open.
size_t handle_count();

template <class T>
class Pinned {
 public:
  explicit Pinned(const void* handle)
      : handle_(handle), object_(static_cast<T*>(handle_pin(T::kHandleKind, handle))) {}
  ~Pinned() {
    if (object_ != nullptr) handle_unpin(handle_);
  }
  Pinned(const Pinned&) = delete;
  Pinned& operator=(const Pinned&) = delete;
  explicit operator bool() const { return object_ != nullptr; }
  T* operator->() const { return object_; }
  T& operator*() const { return *object_; }

 private:
  const void* handle_;
  T* object_;
};

template <class T>
void* open_handle(T* object) {
  return handle_open(T::kHandleKind, object, [](void* p) { delete static_cast<T*>(p); });
}

}  // namespace mpc

#endif
