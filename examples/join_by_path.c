// SPDX-License-Identifier: Apache-2.0
// Two programs that share a block though neither started the other:
//
//   join_by_path serve PATH    makes a block, listens at PATH, prints the block's ref, and waits
//   join_by_path join PATH REF joins the group at PATH, attaches the block, and answers
//
// Without arguments it is both: it runs itself once more by the shell, as anybody could.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mpc/mpc.h>

static int failed(void) {
  char message[256];
  mpc_last_error_message(message, sizeof(message));
  fprintf(stderr, "join_by_path: %s\n", message);
  return 1;
}

// A ref is plain data: any way to bring some numbers from one program to another will do.
static void print_ref(char* text, size_t size, const mpc_ref* ref) {
  snprintf(text, size, "%llx.%x.%x.%x", (unsigned long long)ref->group, ref->kind, ref->place,
           ref->generation);
}

static int read_ref(const char* text, mpc_ref* ref) {
  unsigned long long group;
  memset(ref, 0, sizeof(*ref));
  if (sscanf(text, "%llx.%x.%x.%x", &group, &ref->kind, &ref->place, &ref->generation) != 4)
    return 0;
  ref->group = group;
  return 1;
}

static int join(const char* path, const char* text) {
  mpc_block* block;
  mpc_ref ref;
  if (!read_ref(text, &ref)) return 2;
  if (mpc_group_join_path(path, MPC_SECONDS(10)) < 0) return failed();
  if (mpc_block_attach(&ref, &block) < 0) return failed();
  char* words = mpc_block_address(block);
  printf("the one who joined reads: %s\n", words);
  snprintf(words, mpc_block_size(block), "hello, whoever listens");
  mpc_block_detach(block);
  return mpc_group_leave() < 0 ? failed() : 0;
}

// With the name of the program it runs that; else it waits for a line.
static int serve(const char* path, const char* program) {
  mpc_block* block;
  mpc_ref ref;
  char text[64], command[512];
  if (mpc_block_create(100, &block) < 0 || mpc_block_ref(block, &ref) < 0) return failed();
  snprintf(mpc_block_address(block), 100, "hello, whoever joins");
  if (mpc_group_listen(path) < 0) return failed();
  print_ref(text, sizeof(text), &ref);
  snprintf(command, sizeof(command), "'%s' join '%s' %s", program ? program : "", path, text);
  if (program == NULL) printf("join with: join %s %s\n", path, text);
  fflush(stdout);
  int status = program ? system(command) : getchar();
  printf("the one who listens reads: %s\n", (const char*)mpc_block_address(block));
  mpc_block_detach(block);
  if (mpc_group_leave() < 0) return failed();
  return program != NULL && status != 0;
}

int main(int argc, char** argv) {
  if (argc == 4 && strcmp(argv[1], "join") == 0) return join(argv[2], argv[3]);
  if (argc == 3 && strcmp(argv[1], "serve") == 0) return serve(argv[2], NULL);
  return serve("join_by_path.socket", argv[0]);
}
