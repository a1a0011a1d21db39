// SPDX-License-Identifier: Apache-2.0
#include "process/thread_exit.h"

#include <pthread.h>

__attribute__((hot)) int run_with_thread_exit(int (*body)(void*), void (*leave)(void*),
                                              void* argument) {
  int result;
  pthread_cleanup_push(leave, argument);
  result = body(argument);
  pthread_cleanup_pop(0);
  return result;
}
