// SPDX-License-Identifier: Apache-2.0
// A program that joins its parent's group. Its first argument says what it does then; it returns 70
// where that fails.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <mpc/mpc.h>

#define MUST(condition)                                                                  \
  do {                                                                                   \
    if (!(condition)) {                                                                  \
      char message[512];                                                                 \
      mpc_last_error_message(message, sizeof(message));                                  \
      fprintf(stderr, "line %d: %s; last message: %s\n", __LINE__, #condition, message); \
      exit(70);                                                                          \
    }                                                                                    \
  } while (0)

static int tell_status(void) {
  char message[512];
  mpc_status status = mpc_program_begin(NULL, NULL, NULL, NULL);
  mpc_last_error_message(message, sizeof(message));
  printf("%s %s", mpc_status_name(status), status < 0 ? message : "");
  return status < 0;
}

// The argument goes into the block of the first ref.
static int fill(void) {
  const void* argument;
  size_t size;
  size_t count;
  const mpc_ref* refs;
  mpc_block* block;
  MUST(mpc_program_begin(&argument, &size, &refs, &count) == MPC_OK);
  MUST(count == 1 && mpc_block_attach(&refs[0], &block) == MPC_OK);
  memcpy(mpc_block_address(block), argument, size);
  MUST(mpc_block_detach(block) == MPC_OK);
  return 7;
}

static int tell_who(void) {
  char name[64];
  char parent_name[64];
  unsigned char key[MPC_AUTHKEY_MAX];
  size_t key_size;
  int32_t parent;
  int alive;
  mpc_start_method method;
  mpc_process_current_name(name, sizeof(name));
  MUST(mpc_process_parent_pid(&parent) == MPC_OK);
  MUST(mpc_process_parent_name(parent_name, sizeof(parent_name)) == MPC_OK);
  MUST(mpc_process_parent_is_alive(&alive) == MPC_OK);
  MUST(mpc_start_method_get(1, &method) == MPC_OK);
  MUST(mpc_authkey_get(key, sizeof(key), &key_size) == MPC_OK);
  printf("%s of %s %d %s%s by %s, key", name, parent_name, (int)parent, alive ? "alive" : "dead",
         mpc_process_current_is_daemon() ? ", a daemon" : "",
         method == MPC_START_DEFAULT ? "default" : mpc_start_method_name(method));
  for (size_t i = 0; i < key_size; i++) printf(" %02x", key[i]);
  return 0;
}

// What an exec from here would pass on.
static int tell_inherited(void) {
  for (int fd = 3; fd < 1024; fd++) {
    int flags = fcntl(fd, F_GETFD);
    if (flags >= 0 && (flags & FD_CLOEXEC) == 0) printf("%d ", fd);
  }
  printf("%s", getenv("LIBMPC_START") == NULL ? "clean" : "ticket");
  return 0;
}

static int return_3(const void* argument, size_t size, const mpc_ref* refs, size_t count) {
  (void)argument, (void)size, (void)refs, (void)count;
  return 3;
}

static int start_under_every_method(void) {
  mpc_start_method methods[8];
  size_t count = mpc_start_method_list(methods, 8);
  for (size_t i = 0; i < count; i++) {
    mpc_process_options options = MPC_PROCESS_OPTIONS_INIT;
    mpc_process* process;
    int exit_code;
    options.start_method = methods[i];
    MUST(mpc_process_create(return_3, &options, &process) == MPC_OK);
    MUST(mpc_process_start(process) == MPC_OK);
    MUST(mpc_process_join(process, MPC_FOREVER) == MPC_OK);
    MUST(mpc_process_exit_code(process, &exit_code) == MPC_OK && exit_code == 3);
    MUST(mpc_process_destroy(process) == MPC_OK);
  }
  return 5;
}

static int start_program(const char* self) {
  const char* arguments[] = {"exit_with_17", NULL};
  mpc_process_options options = MPC_PROCESS_OPTIONS_INIT;
  mpc_process* process;
  int exit_code;
  options.program = self;
  options.arguments = arguments;
  MUST(mpc_process_create(NULL, &options, &process) == MPC_OK);
  MUST(mpc_process_start(process) == MPC_OK);
  MUST(mpc_process_join(process, MPC_FOREVER) == MPC_OK);
  MUST(mpc_process_exit_code(process, &exit_code) == MPC_OK);
  MUST(mpc_process_destroy(process) == MPC_OK);
  return exit_code;
}

static void say(void* text) {
  printf("%s ", (const char*)text);
  fflush(stdout);
}

static int sleep_for_ever(const void* argument, size_t size, const mpc_ref* refs, size_t count) {
  (void)argument, (void)size, (void)refs, (void)count;
  while (pause() != 0) {
  }
  return 0;
}

static void say_at_exit(void) { say("atexit"); }

// A daemon that would never end, and the program's own last words.
static int leave_in_order(void) {
  mpc_process_options options = MPC_PROCESS_OPTIONS_INIT;
  mpc_process* process;
  options.daemon = 1;
  options.start_method = MPC_START_SPAWN;
  MUST(mpc_process_create(sleep_for_ever, &options, &process) == MPC_OK);
  MUST(mpc_process_start(process) == MPC_OK);
  MUST(mpc_finalizer_add(say, "last", -1, NULL) == MPC_OK);
  MUST(mpc_finalizer_add(say, "first", 1, NULL) == MPC_OK);
  MUST(atexit(say_at_exit) == 0);
  return 21;
}

static int fork_and_tell(void) {
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    tell_status();
    MUST(mpc_group_join() == MPC_OK);
    exit(9);
  }
  int status;
  MUST(waitpid(pid, &status, 0) == pid);
  return WEXITSTATUS(status);
}

// By a fork and an exec, as a shell does it.
static int start_in_vain(const char* self) {
  pid_t pid = fork();
  if (pid == 0) {
    execl(self, self, "tell_status", (char*)NULL);
    _exit(70);
  }
  int status;
  MUST(waitpid(pid, &status, 0) == pid);
  return WEXITSTATUS(status);
}

static int leave(void) {
  MUST(mpc_program_begin(NULL, NULL, NULL, NULL) == MPC_OK);
  MUST(mpc_group_leave() == MPC_OK);
  MUST(mpc_program_begin(NULL, NULL, NULL, NULL) == MPC_ESTATE);
  MUST(mpc_group_join() == MPC_OK);  // one of its own
  MUST(mpc_program_begin(NULL, NULL, NULL, NULL) == MPC_ESTATE);
  return 8;
}

static int wait_to_be_killed(void) {
  MUST(mpc_program_begin(NULL, NULL, NULL, NULL) == MPC_OK);
  printf("here");
  fflush(stdout);
  while (pause() != 0) {
  }
  return 0;
}

int main(int argc, char** argv) {
  const char* what = argc > 1 ? argv[1] : "tell_status";
  if (strcmp(what, "fill") == 0) return fill();
  if (strcmp(what, "tell_status") == 0) return tell_status();
  if (strcmp(what, "tell_who") == 0) return tell_who();
  if (strcmp(what, "tell_inherited") == 0) return tell_inherited();
  if (strcmp(what, "start_under_every_method") == 0) return start_under_every_method();
  if (strcmp(what, "start_program") == 0) return start_program(argv[0]);
  if (strcmp(what, "leave_in_order") == 0) return leave_in_order();
  if (strcmp(what, "fork_and_tell") == 0) return fork_and_tell();
  if (strcmp(what, "start_in_vain") == 0) return start_in_vain(argv[0]);
  if (strcmp(what, "wait_to_be_killed") == 0) return wait_to_be_killed();
  if (strcmp(what, "leave") == 0) return leave();
  if (strcmp(what, "exit_with_17") == 0) exit(17);
  for (int i = 0; i < argc; i++) printf("[%s]", argv[i]);
  return 0;
}
