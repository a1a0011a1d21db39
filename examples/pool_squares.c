// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>

#include <mpc/mpc.h>

static int square(const void* item, void* result) {
  *(int*)result = *(const int*)item * *(const int*)item;
  return 0;
}
static int print_squares(const mpc_pool_options* options) {
  int items[10] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, results[10];
  char why[256];
  mpc_pool* pool = NULL;
  mpc_status status = mpc_pool_create(options, &pool);
  if (status >= 0)
    status = mpc_pool_map(pool, square, items, 10, sizeof(int), results, sizeof(int), NULL);
  if (status < 0 && mpc_last_error_message(why, sizeof(why))) fprintf(stderr, "%s\n", why);
  for (int i = 0; status >= 0 && i < 10; i++) printf(i < 9 ? "%d " : "%d\n", results[i]);
  mpc_pool_destroy(pool);
  return status < 0;
}
int main(void) {
  const mpc_pool_options three = {.struct_size = sizeof(three), .workers = 3};
  return print_squares(NULL) || print_squares(&three);
}
