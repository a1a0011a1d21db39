// SPDX-License-Identifier: Apache-2.0
// parent PROGRAM [ARGUMENT...]: a worker in any language under a parent in C. The program is
// started as a child; what it writes into the block of shared memory that it is given is printed.
#include <stdio.h>

#include <mpc/mpc.h>

enum { kCount = 10 };

static int failed(void) {
  char message[512];
  mpc_last_error_message(message, sizeof(message));
  fprintf(stderr, "parent: %s\n", message);
  return 1;
}

int main(int argc, char** argv) {
  if (argc < 2) {
    fprintf(stderr, "usage: parent PROGRAM [ARGUMENT...]\n");
    return 2;
  }
  mpc_block* block;
  mpc_ref ref;
  if (mpc_block_create(kCount * sizeof(int), &block) < 0) return failed();
  if (mpc_block_ref(block, &ref) < 0) return failed();

  mpc_process* worker;
  int exit_code;
  mpc_process_options options = MPC_PROCESS_OPTIONS_INIT;
  options.program = argv[1];
  options.arguments = (const char* const*)&argv[2];
  options.name = "worker";
  options.argument = "squares";
  options.argument_size = 7;
  options.refs = &ref;
  options.ref_count = 1;
  if (mpc_process_create(NULL, &options, &worker) < 0) return failed();
  if (mpc_process_start(worker) < 0) return failed();
  if (mpc_process_join(worker, MPC_FOREVER) < 0) return failed();
  if (mpc_process_exit_code(worker, &exit_code) < 0) return failed();
  mpc_process_destroy(worker);

  const int* numbers = mpc_block_address(block);
  printf("the worker wrote:");
  for (int i = 0; i < kCount; i++) printf(" %d", numbers[i]);
  printf("\nit ended with %d\n", exit_code);
  return mpc_block_detach(block) < 0;
}
