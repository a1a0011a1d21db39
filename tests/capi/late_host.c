// SPDX-License-Identifier: Apache-2.0
// A program that is not linked to the library and loads it while it runs; its own functions are
// started all the same. Prints each start method and the exit code under it.
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mpc/mpc.h>

// What this host has set LD_PRELOAD to; the child's is to be the same.
static const char* preload;

static int look_around(const void* argument, size_t size, const mpc_ref* refs, size_t ref_count) {
  (void)size, (void)refs, (void)ref_count;
  const char* now = getenv("LD_PRELOAD");
  const char* was = argument;
  if (getenv("LIBMPC_START") != NULL) return 2;
  if (now == NULL) return *was == '\0' ? 4 : 3;
  return strcmp(now, was) == 0 ? 5 : 3;
}

#define LOAD(name) __typeof__(&name) name##_here = (__typeof__(&name))dlsym(library, #name)

int main(int argc, char** argv) {
  if (argc < 2) return 1;
  void* library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) return 1;
  preload = getenv("LD_PRELOAD");
  LOAD(mpc_process_create);
  LOAD(mpc_process_start);
  LOAD(mpc_process_join);
  LOAD(mpc_process_exit_code);
  LOAD(mpc_process_destroy);
  LOAD(mpc_start_method_list);
  LOAD(mpc_start_method_name);
  LOAD(mpc_last_error_message);
  mpc_start_method methods[8];
  size_t count = mpc_start_method_list_here(methods, 8);
  for (size_t i = 0; i < count; i++) {
    mpc_process_options options = MPC_PROCESS_OPTIONS_INIT;
    mpc_process* process;
    int exit_code = -1;
    options.start_method = methods[i];
    options.argument = preload != NULL ? preload : "";
    options.argument_size = strlen(options.argument) + 1;
    if (mpc_process_create_here(look_around, &options, &process) < 0) return 1;
    if (mpc_process_start_here(process) < 0) {
      char message[512];
      mpc_last_error_message_here(message, sizeof(message));
      printf("%s\n", message);
      return 1;
    }
    mpc_process_join_here(process, MPC_FOREVER);
    mpc_process_exit_code_here(process, &exit_code);
    (void)mpc_process_destroy_here(process);
    printf("%s %d\n", mpc_start_method_name_here(methods[i]), exit_code);
  }
  return 0;
}
