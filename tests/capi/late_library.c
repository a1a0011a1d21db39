// SPDX-License-Identifier: Apache-2.0
// A library that the tests load while a pool has workers already.
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <mpc/mpc.h>

int late_add_hundred(const void* item, void* result) {
  *(int64_t*)result = *(const int64_t*)item + 100;
  return 0;
}

/* 1 where it runs in an image of mpc-worker. */
int late_process(const void* argument, size_t size, const mpc_ref* refs, size_t ref_count);
int late_process(const void* argument, size_t size, const mpc_ref* refs, size_t ref_count) {
  char path[4096] = "";
  ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);
  (void)argument;
  (void)size;
  (void)refs;
  (void)ref_count;
  return length > 11 && strcmp(path + length - 11, "/mpc-worker") == 0;
}
