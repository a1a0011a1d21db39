// SPDX-License-Identifier: Apache-2.0
// What crosses to a child, and back, under each start method: a global, a pointer to memory of the
// heap and a pointer to group memory. Only group memory is the same memory for both.
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <mpc/mpc.h>

typedef struct letter {
  mpc_start_method method;
  int* heap;
  int* group;
} letter;

static int global = 1;

// A pointer of another process may lead nowhere, so the kernel reads for us: it fails where we
// would crash. What is found may also be something else that lies there by chance.
static const char* text_at(const int* address, char text[16]) {
  int ends[2];
  int value = 0;
  strcpy(text, "lost");
  if (pipe(ends) != 0) return text;
  if (write(ends[1], address, sizeof(value)) == sizeof(value) &&
      read(ends[0], &value, sizeof(value)) == sizeof(value) && value == 2) {
    strcpy(text, "2");
  }
  close(ends[0]);
  close(ends[1]);
  return text;
}

static int look(const void* argument, size_t size, const mpc_ref* refs, size_t ref_count) {
  (void)size, (void)refs, (void)ref_count;
  letter from_parent;
  char heap[16];
  memcpy(&from_parent, argument, sizeof(from_parent));
  printf("%-10s child:  global %d, heap %s, group %d\n", mpc_start_method_name(from_parent.method),
         global, text_at(from_parent.heap, heap), *from_parent.group);
  global = 3;
  *from_parent.group = 3;
  return 0;
}

static int failed(void) {
  char message[256];
  mpc_last_error_message(message, sizeof(message));
  fprintf(stderr, "start_methods: %s\n", message);
  return 1;
}

static int run(mpc_start_method method, int* heap, int* group) {
  const letter to_child = {method, heap, group};
  mpc_process_options options = MPC_PROCESS_OPTIONS_INIT;
  mpc_process* child;
  int exit_code;
  options.start_method = method;
  options.argument = &to_child;
  options.argument_size = sizeof(to_child);

  global = *heap = *group = 2;
  if (mpc_process_create(look, &options, &child) < 0) return failed();
  if (mpc_process_start(child) < 0) return failed();
  if (mpc_process_join(child, MPC_FOREVER) < 0) return failed();
  if (mpc_process_exit_code(child, &exit_code) < 0) return failed();
  mpc_process_destroy(child);

  printf("%-10s parent: global %d, heap %d, group %d\n", "", global, *heap, *group);
  // What stays in the buffer would come out behind what the next child prints.
  fflush(stdout);
  if (exit_code != 0) fprintf(stderr, "start_methods: the child ended with %d\n", exit_code);
  return exit_code != 0;
}

int main(void) {
  mpc_start_method methods[8];
  const size_t count = mpc_start_method_list(methods, 8);
  int* heap = malloc(sizeof(*heap));
  void* group;
  int result = 0;
  if (heap == NULL || mpc_group_alloc(sizeof(int), &group) < 0) return failed();
  for (size_t i = 0; i < count && result == 0; i++) result = run(methods[i], heap, group);
  mpc_group_free(group);
  free(heap);
  return result;
}
