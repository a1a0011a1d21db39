// SPDX-License-Identifier: Apache-2.0
// Where the core meets C: one barrier that every call passes.
#ifndef MPC_CAPI_BOUNDARY_HPP
#define MPC_CAPI_BOUNDARY_HPP

#include <errno.h>
#include <pthread.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <new>
#include <utility>

#include "base/handles.hpp"
#include "base/result.hpp"
#include "group/current.hpp"

namespace mpc {

// Keeps the calling thread's errno, and holds its cancellation off: unwinding by cancellation
// through a catch (...) aborts the process.
class CallScope {
 public:
  CallScope() : errno_(errno) { pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state_); }
  ~CallScope() {
    pthread_setcancelstate(cancel_state_, nullptr);
    errno = errno_;
  }
  CallScope(const CallScope&) = delete;
  CallScope& operator=(const CallScope&) = delete;

 private:
  int errno_;
  int cancel_state_ = PTHREAD_CANCEL_ENABLE;
};

// Notes the failure as the calling thread's last, and returns its status.
mpc_status report(const Error& error) noexcept;
inline mpc_status report(Result<void> result) noexcept {
  return result ? MPC_OK : report(result.error());
}

// Runs `body`, which returns a Result<void>, and turns whatever comes out of it into a status.
// Every function that can fail is one call of this; nothing else here contains try or catch.
template <class Body>
mpc_status guarded(Body&& body) noexcept {
  CallScope scope;
  try {
    return report(std::forward<Body>(body)());
  } catch (const std::bad_alloc&) {
    return report(Error{MPC_ENOMEM, {}});
  } catch (const std::exception& e) {
    return report(Error{MPC_EINTERNAL, e.what()});
  } catch (...) {
    return report(Error{MPC_EINTERNAL, "unknown exception"});
  }
}

inline Error null_argument(const char* name) { return failure(MPC_EINVAL, "%s is NULL", name); }

template <class T>
Error used_up() {
  return failure(MPC_EINVAL,
                 "not a handle of this kind, or one that was detached or destroyed already");
}

// Runs `body(object)` on what is behind a handle.
template <class T, class Body>
mpc_status guarded_on(const void* handle, Body&& body) noexcept {
  return guarded([&]() -> Result<void> {
    Pinned<T> object(handle);
    if (!object) return used_up<T>();
    return body(*object);
  });
}

// Opens a handle on what `make(group)` returns.
template <class T, class Handle, class Make>
mpc_status guarded_open(Handle** out_handle, Make&& make) noexcept {
  return guarded([&]() -> Result<void> {
    if (out_handle == nullptr) return null_argument("the out_ parameter");
    Result<Group*> group = current_group();
    if (!group) return group.error();
    Result<T*> object = make(**group);
    if (!object) return object.error();
    void* handle = open_handle(*object);
    if (handle == nullptr) {
      delete *object;
      return failure(MPC_ENOMEM, "too many handles are open in this process");
    }
    *out_handle = static_cast<Handle*>(handle);
    return {};
  });
}

// Takes options as the kernel takes extensible structs: a shorter one is filled up with zeros, a
// longer one must end in zeros. `least` is the size in the first release.
template <class Options>
Result<Options> take_options(const Options* theirs, size_t least) {
  Options ours;
  memset(&ours, 0, sizeof ours);
  if (theirs == nullptr) return ours;
  size_t size = theirs->struct_size;
  if (size < least) {
    return failure(MPC_EINVAL,
                   "struct_size is %zu, at least %zu is needed; start from the _INIT macro", size,
                   least);
  }
  memcpy(&ours, theirs, std::min(size, sizeof ours));
  const char* bytes = reinterpret_cast<const char*>(theirs);
  for (size_t i = sizeof ours; i < size; ++i) {
    if (bytes[i] != 0) {
      return failure(MPC_E2BIG, "an option at byte %zu is unknown to this version of libmpc", i);
    }
  }
  return ours;
}

// Copies a string out, always ended by a NUL, cut where it does not fit.
size_t copy_text(const char* text, char* buffer, size_t capacity) noexcept;

}  // namespace mpc

#endif
