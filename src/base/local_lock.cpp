// SPDX-License-Identifier: Apache-2.0
#include "base/local_lock.hpp"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>

#include "base/child_page.hpp"

namespace mpc {
namespace {

// Not a mutex of the C library's: its code is on pages that a fresh child does not have yet.
enum : uint32_t { kFree, kHeld, kHeldAndAwaited };
MPC_CHILD_PAGE std::atomic<uint32_t> word{kFree};

void wait_for_turn() {
  int saved_errno = errno;
  while (word.exchange(kHeldAndAwaited, std::memory_order_acquire) != kFree) {
    syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, kHeldAndAwaited, nullptr, nullptr, 0);
  }
  errno = saved_errno;
}

void wake_next() {
  int saved_errno = errno;
  syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
  errno = saved_errno;
}

MPC_CHILD_CODE void lock() {
  uint32_t free = kFree;
  if (!word.compare_exchange_strong(free, kHeld, std::memory_order_acquire)) wait_for_turn();
}

MPC_CHILD_CODE void unlock() {
  if (word.exchange(kFree, std::memory_order_release) == kHeldAndAwaited) wake_next();
}

// Who waited for it is not in the child.
MPC_CHILD_CODE void unlock_in_child() { word.store(kFree, std::memory_order_release); }

// At load time, so that it is before all handlers of who is linked to the library: those of fork()
// run in the reverse order before it. So the program's may call the library, and wait for a thread
// that does: the lock is taken after them, and given back before the others.
[[gnu::constructor]] MPC_CHILD_CODE void register_handlers() {
  pthread_atfork(lock, unlock, unlock_in_child);
}

}  // namespace

MPC_CHILD_CODE LocalLock::LocalLock() { lock(); }

MPC_CHILD_CODE LocalLock::~LocalLock() { unlock(); }

}  // namespace mpc
