// SPDX-License-Identifier: Apache-2.0
#include "process/authkey.hpp"

#include <errno.h>
#include <sys/random.h>

#include "base/child_page.hpp"
#include "base/local_lock.hpp"

namespace mpc {
namespace {

constexpr uint32_t kMadeSize = 32;

MPC_CHILD_PAGE Authkey own{};  // under LocalLock

}  // namespace

Result<AuthkeyCopy> authkey() {
  LocalLock lock;
  if (own.size == 0) {
    AuthkeyCopy fresh;
    ssize_t n;
    do {
      n = getrandom(fresh.bytes, kMadeSize, 0);
    } while (n < 0 && errno == EINTR);
    if (n != kMadeSize) return system_failure("getrandom for the authentication key", errno);
    fresh.size = kMadeSize;
    own = fresh;
  }
  return AuthkeyCopy(own);
}

void authkey_set(const void* bytes, size_t size) {
  AuthkeyCopy key;
  key.size = static_cast<uint32_t>(size);
  memcpy(key.bytes, bytes, size);
  LocalLock lock;
  own = key;
}

// A forked child has it already; then nothing is written, and no page copied. Word by word by
// itself: the C library's code is on pages that are not in a fresh child yet.
MPC_CHILD_CODE void authkey_inherit(const Authkey& key) {
  if (key.size == 0) return;
  LocalLock lock;
  bool same = own.size == key.size;
  for (size_t i = 0; same && i < key.size; ++i) same = own.bytes[i] == key.bytes[i];
  if (!same) own = key;
}

}  // namespace mpc
