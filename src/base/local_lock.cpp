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
MPC_CHILD_PAGE pthread_once_t once = PTHREAD_ONCE_INIT;
MPC_CHILD_PAGE std::atomic<bool> registered{false};

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

// Not at load time: a program that only links the library is left alone.
void register_handlers() {
  pthread_atfork(lock, unlock, unlock_in_child);
  registered.store(true, std::memory_order_release);
}

}  // namespace

MPC_CHILD_CODE LocalLock::LocalLock() {
  if (!registered.load(std::memory_order_acquire)) pthread_once(&once, register_handlers);
  lock();
}

MPC_CHILD_CODE LocalLock::~LocalLock() { unlock(); }

}  // namespace mpc
