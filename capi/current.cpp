// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <memory>
#include <string>

#include <mpc/current.h>

#include "boundary.hpp"
#include "process/authkey.hpp"
#include "process/children.hpp"
#include "process/finalizer.hpp"
#include "process/parent.hpp"
#include "process/self.hpp"

namespace mpc {
namespace {

static_assert(kLargestAuthkey == MPC_AUTHKEY_MAX);

struct FinalizerHandle {
  static constexpr HandleKind kHandleKind = HandleKind::kFinalizer;
  uint64_t number;
  pid_t process;
};

// Runs `body(parent)`, which returns a Result<void>.
template <class Body>
mpc_status guarded_on_parent(Body&& body) noexcept {
  return guarded([&]() -> Result<void> {
    Result<Parent> found = parent();
    if (!found) return found.error();
    return body(*found);
  });
}

std::string describe_self() {
  Self known = self();
  std::string text = "<Process name='" + known.name + "' pid=" + std::to_string(getpid());
  if (known.parent_pid != 0) text += " parent=" + std::to_string(known.parent_pid);
  return text + (known.daemon ? " started daemon>" : " started>");
}

std::string describe(const Parent& parent) {
  return "<ParentProcess name='" + parent.name + "' pid=" + std::to_string(parent.pid) +
         (parent.alive() ? " started>" : " stopped>");
}

}  // namespace
}  // namespace mpc

extern "C" {

using mpc::FinalizerHandle;
using mpc::Parent;
using mpc::Result;

size_t mpc_process_current_describe(char* buffer, size_t capacity) {
  mpc::CallScope scope;
  return mpc::copy_text(mpc::describe_self().c_str(), buffer, capacity);
}

int mpc_process_current_is_daemon(void) {
  mpc::CallScope scope;
  return mpc::self().daemon ? 1 : 0;
}

mpc_status mpc_process_children(int32_t* pids, size_t capacity, size_t* out_count) {
  return mpc::guarded([&]() -> Result<void> {
    if (pids == nullptr && capacity > 0) return mpc::null_argument("pids");
    if (out_count == nullptr) return mpc::null_argument("out_count");
    std::vector<int32_t> alive;
    // Who belongs to no group has started nobody.
    if (mpc::group_if_any() != nullptr) {
      if (Result<mpc::Group*> group = mpc::current_group(); !group) return group.error();
      alive = mpc::children_alive();
    }
    std::copy_n(alive.begin(), std::min(capacity, alive.size()), pids);
    *out_count = alive.size();
    return {};
  });
}

mpc_status mpc_process_parent_pid(int32_t* out_pid) {
  return mpc::guarded_on_parent([&](const Parent& parent) -> Result<void> {
    if (out_pid == nullptr) return mpc::null_argument("out_pid");
    *out_pid = parent.pid;
    return {};
  });
}

mpc_status mpc_process_parent_name(char* buffer, size_t capacity) {
  return mpc::guarded_on_parent([&](const Parent& parent) -> Result<void> {
    mpc::copy_text(parent.name.c_str(), buffer, capacity);
    return {};
  });
}

mpc_status mpc_process_parent_is_alive(int* out_alive) {
  return mpc::guarded_on_parent([&](const Parent& parent) -> Result<void> {
    if (out_alive == nullptr) return mpc::null_argument("out_alive");
    *out_alive = parent.alive() ? 1 : 0;
    return {};
  });
}

mpc_status mpc_process_parent_join(int64_t timeout_ns) {
  mpc::Deadline deadline = mpc::Deadline::after(timeout_ns);
  return mpc::guarded_on_parent([&](const Parent& parent) -> Result<void> {
    if (parent.join(deadline)) return {};
    return mpc::failure(MPC_ETIMEDOUT, "the parent, process %d, still runs", parent.pid);
  });
}

mpc_status mpc_process_parent_describe(char* buffer, size_t capacity) {
  return mpc::guarded_on_parent([&](const Parent& parent) -> Result<void> {
    mpc::copy_text(mpc::describe(parent).c_str(), buffer, capacity);
    return {};
  });
}

mpc_status mpc_authkey_get(void* buffer, size_t capacity, size_t* out_size) {
  return mpc::guarded([&]() -> Result<void> {
    if (buffer == nullptr) return mpc::null_argument("buffer");
    if (out_size == nullptr) return mpc::null_argument("out_size");
    Result<mpc::AuthkeyCopy> key = mpc::authkey();
    if (!key) return key.error();
    if (capacity < key->size) {
      return mpc::failure(MPC_EINVAL, "the key has %u bytes, the buffer %zu", key->size, capacity);
    }
    memcpy(buffer, key->bytes, key->size);
    *out_size = key->size;
    return {};
  });
}

mpc_status mpc_authkey_set(const void* bytes, size_t size) {
  return mpc::guarded([&]() -> Result<void> {
    if (bytes == nullptr) return mpc::null_argument("bytes");
    if (size == 0 || size > MPC_AUTHKEY_MAX) {
      return mpc::failure(MPC_EINVAL, "a key has 1 to %d bytes, not %zu", MPC_AUTHKEY_MAX, size);
    }
    mpc::authkey_set(bytes, size);
    return {};
  });
}

mpc_status mpc_finalizer_add(mpc_finalizer_fn function, void* user_data, int priority,
                             mpc_finalizer** out_finalizer) {
  return mpc::guarded([&]() -> Result<void> {
    if (function == nullptr) return mpc::null_argument("function");
    auto behind = std::make_unique<FinalizerHandle>();
    uint64_t number = mpc::finalizer_add(function, user_data, priority);
    if (out_finalizer == nullptr) return {};
    *behind = {number, getpid()};
    void* handle = mpc::open_handle(behind.get());
    if (handle == nullptr) {
      mpc::finalizer_cancel(number);
      return mpc::failure(MPC_ENOMEM, "too many handles are open in this process");
    }
    (void)behind.release();
    *out_finalizer = static_cast<mpc_finalizer*>(handle);
    return {};
  });
}

mpc_status mpc_finalizer_cancel(mpc_finalizer* finalizer) {
  if (finalizer == nullptr) return MPC_OK;
  return mpc::guarded([&]() -> Result<void> {
    mpc::Pinned<FinalizerHandle> pinned(finalizer);
    if (!pinned || !mpc::handle_close(mpc::HandleKind::kFinalizer, finalizer)) {
      return mpc::used_up<FinalizerHandle>();
    }
    if (pinned->process != getpid()) {
      return mpc::failure(MPC_ECHILD, "process %d added this finalizer; here it is not called",
                          pinned->process);
    }
    if (!mpc::finalizer_cancel(pinned->number)) {
      return mpc::failure(MPC_ESTATE, "the finalizer was called already");
    }
    return {};
  });
}
}
