// SPDX-License-Identifier: Apache-2.0
#include "os/bare_thread.hpp"

#include <sched.h>
#include <signal.h>

#include "os/futex.hpp"

namespace mpc {
namespace {

constexpr int64_t kLongestSleep = 1000000000;  // only against the unforeseen

int start(BareThread& thread, int (*run)(void*), char* stack_top, bool copied_table) {
  thread.ready.store(0);
  thread.stop.store(0);
  thread.tid.store(0);
  thread.copied_table = copied_table;

  // The thread inherits the mask: nothing of the program's must run on it.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  int flags = CLONE_VM | CLONE_FS | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM |
              CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID | (copied_table ? 0 : CLONE_FILES);
  int result = clone(run, stack_top, flags, &thread, &thread.tid, nullptr, &thread.tid);
  int error = errno;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (result < 0) return error;

  while (thread.ready.load() == 0) futex_wait(&thread.ready, 0, kLongestSleep);
  uint32_t ready = thread.ready.load();
  if (ready == 1) return 0;
  bare_thread_join(thread);
  return static_cast<int>(ready) - 1;
}

}  // namespace

// A sandbox whose profile is older than close_range() answers EPERM to it. There the thread begins
// with a copy of the program's table, and empties it one by one.
int bare_thread_start(BareThread& thread, int (*run)(void*), char* stack, size_t stack_size) {
  int error = start(thread, run, stack + stack_size, false);
  if (error != EPERM && error != ENOSYS) return error;
  return start(thread, run, stack + stack_size, true);
}

void bare_thread_join(BareThread& thread) {
  while (int32_t tid = thread.tid.load()) {
    futex_wait(&thread.tid, static_cast<uint32_t>(tid), kLongestSleep);
  }
}

}  // namespace mpc
