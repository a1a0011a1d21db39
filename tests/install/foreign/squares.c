// SPDX-License-Identifier: Apache-2.0
// A program of somebody else's, in the common part of C and C++.
#include <stdio.h>

#include <mpc/mpc.h>

static int square(const void* item, void* result) {
  *(int*)result = *(const int*)item * *(const int*)item;
  return 0;
}

int main(void) {
  const int items[3] = {2, 3, 4};
  int results[3];
  mpc_pool* pool;
  if (mpc_library_check(LIBMPC_VERSION_NUMBER) < 0 || mpc_pool_create(NULL, &pool) < 0 ||
      mpc_pool_map(pool, square, items, 3, sizeof(int), results, sizeof(int), NULL) < 0) {
    char message[256];
    mpc_last_error_message(message, sizeof(message));
    fprintf(stderr, "%s\n", message);
    return 1;
  }
  printf("%d %d %d\n", results[0], results[1], results[2]);
  return mpc_pool_destroy(pool) < 0;
}
