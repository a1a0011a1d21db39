// SPDX-License-Identifier: Apache-2.0
// library_start METHOD STARTS [MEBIBYTES [PROGRAM]]: prints the median time, in microseconds, that
// libmpc takes to create, start, join and destroy a process; with so much memory resident in this
// one, and of a program where one is named.
#define _POSIX_C_SOURCE 200809L
#include <string.h>

#include <mpc/mpc.h>

#include "timing.h"

static int nothing(const void* argument, size_t size, const mpc_ref* refs, size_t ref_count) {
  (void)argument, (void)size, (void)refs, (void)ref_count;
  return 3;
}

static void check(mpc_status status) {
  char message[512];
  if (status >= 0) return;
  mpc_last_error_message(message, sizeof(message));
  timing_require(0, message);
}

static void start_and_join(void* options) {
  mpc_process* process;
  int exit_code;
  const mpc_process_options* chosen = options;
  check(mpc_process_create(chosen->program == NULL ? nothing : NULL, chosen, &process));
  check(mpc_process_start(process));
  check(mpc_process_join(process, MPC_FOREVER));
  check(mpc_process_exit_code(process, &exit_code));
  check(mpc_process_destroy(process));
  timing_require(exit_code == 3, "another exit code");
}

static mpc_start_method method_named(const char* name) {
  mpc_start_method methods[16];
  size_t count = mpc_start_method_list(methods, 16);
  for (size_t i = 0; i < count; i++) {
    if (strcmp(mpc_start_method_name(methods[i]), name) == 0) return methods[i];
  }
  timing_require(0, "no such start method");
  return MPC_START_DEFAULT;
}

int main(int argc, char** argv) {
  timing_require(argc >= 3, "usage: library_start METHOD STARTS [MEBIBYTES [PROGRAM]]");
  mpc_process_options options = MPC_PROCESS_OPTIONS_INIT;
  options.program = argc > 4 ? argv[4] : NULL;
  if (options.program == NULL) options.start_method = method_named(argv[1]);

  const size_t resident = argc > 3 ? (size_t)atoi(argv[3]) << 20 : 0;
  char* memory = malloc(resident + 1);
  timing_require(memory != NULL, "not so much memory");
  memset(memory, 1, resident + 1);

  timing_print_median(atoi(argv[2]), start_and_join, &options);
  timing_require(memory[resident] == 1, "the memory has changed");
  free(memory);
  return 0;
}
