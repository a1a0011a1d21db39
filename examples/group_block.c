// SPDX-License-Identifier: Apache-2.0
// A block of group memory. Its ref goes to a child beside the arguments; the child attaches it and
// writes what the parent reads afterwards.
#include <stdio.h>

#include <mpc/mpc.h>

static int fill(const void* argument, size_t size, const mpc_ref* refs, size_t ref_count) {
  (void)argument, (void)size;
  mpc_block* block;
  if (ref_count != 1 || mpc_block_attach(&refs[0], &block) < 0) return 1;
  int* squares = mpc_block_address(block);
  for (int i = 0; i < 10; i++) squares[i] = i * i;
  return mpc_block_detach(block) < 0;
}

static int failed(void) {
  char message[256];
  mpc_last_error_message(message, sizeof(message));
  fprintf(stderr, "group_block: %s\n", message);
  return 1;
}

int main(void) {
  mpc_block* block;
  mpc_ref ref;
  if (mpc_block_create(10 * sizeof(int), &block) < 0) return failed();
  if (mpc_block_ref(block, &ref) < 0) return failed();

  mpc_process* child;
  int exit_code;
  mpc_process_options options = MPC_PROCESS_OPTIONS_INIT;
  options.refs = &ref;
  options.ref_count = 1;
  if (mpc_process_create(fill, &options, &child) < 0) return failed();
  if (mpc_process_start(child) < 0) return failed();
  if (mpc_process_join(child, MPC_FOREVER) < 0) return failed();
  if (mpc_process_exit_code(child, &exit_code) < 0) return failed();
  mpc_process_destroy(child);
  if (exit_code != 0) {
    fprintf(stderr, "group_block: the child could not attach the block\n");
    return 1;
  }

  const int* squares = mpc_block_address(block);
  printf("the child wrote:");
  for (int i = 0; i < 10; i++) printf(" %d", squares[i]);
  printf("\n");
  return mpc_block_detach(block) < 0;
}
