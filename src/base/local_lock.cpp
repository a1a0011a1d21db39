// SPDX-License-Identifier: Apache-2.0
#include "base/local_lock.hpp"

#include <pthread.h>

#include "base/child_page.hpp"

namespace mpc {
namespace {

MPC_CHILD_PAGE pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
pthread_once_t registered = PTHREAD_ONCE_INIT;

MPC_CHILD_CODE void lock() { pthread_mutex_lock(&mutex); }
MPC_CHILD_CODE void unlock() { pthread_mutex_unlock(&mutex); }

// Not at load time: a program that only links the library is left alone.
void register_handlers() { pthread_atfork(lock, unlock, unlock); }

}  // namespace

MPC_CHILD_CODE LocalLock::LocalLock() {
  pthread_once(&registered, register_handlers);
  lock();
}

MPC_CHILD_CODE LocalLock::~LocalLock() { unlock(); }

}  // namespace mpc
