// SPDX-License-Identifier: Apache-2.0
// Two processes, one after the other: the first is given a function, the second arguments as well.
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <unistd.h>

#include <mpc/mpc.h>

typedef struct greeting {
  char whom[16];
  int exit_code;
} greeting;

static void introduce(const char* what) {
  char name[64];
  mpc_process_current_name(name, sizeof(name));
  printf("%s: name %s, pid %ld, parent's pid %ld\n", what, name, (long)getpid(), (long)getppid());
}

static int hello(const void* argument, size_t size, const mpc_ref* refs, size_t ref_count) {
  (void)refs, (void)ref_count;
  introduce("child");
  if (size != sizeof(greeting)) return 0;
  printf("hello, %s\n", ((const greeting*)argument)->whom);
  return ((const greeting*)argument)->exit_code;
}

static int failed(void) {
  char message[256];
  mpc_last_error_message(message, sizeof(message));
  fprintf(stderr, "hello_process: %s\n", message);
  return 1;
}

static int run(const mpc_process_options* options) {
  mpc_process* process;
  int exit_code;
  if (mpc_process_create(hello, options, &process) < 0) return failed();
  // What stays in the buffer would come out behind what the child prints.
  fflush(stdout);
  if (mpc_process_start(process) < 0) return failed();
  if (mpc_process_join(process, MPC_FOREVER) < 0) return failed();
  if (mpc_process_exit_code(process, &exit_code) < 0) return failed();
  printf("joined, exit code %d\n", exit_code);
  mpc_process_destroy(process);
  return 0;
}

int main(void) {
  const greeting ada = {"Ada", 7};
  mpc_process_options options = MPC_PROCESS_OPTIONS_INIT;
  options.name = "greeter";
  options.argument = &ada;
  options.argument_size = sizeof(ada);
  introduce("parent");
  return run(NULL) || run(&options);
}
