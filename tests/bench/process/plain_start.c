// SPDX-License-Identifier: Apache-2.0
// plain_start fork|server|image STARTS [PROGRAM]: prints the median time, in microseconds, that
// starting a process and waiting for it takes without the library: by fork(), by the least that a
// fork server can be, and by posix_spawn() of a program.
#define _POSIX_C_SOURCE 200809L
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "timing.h"

extern char** environ;

typedef struct answer {
  pid_t pid;
  int status;
} answer;

static void check_status(int status) {
  timing_require(WIFEXITED(status) && WEXITSTATUS(status) == 3, "another exit code");
}

static answer fork_and_wait(void) {
  answer done = {fork(), 0};
  if (done.pid == 0) _exit(3);
  timing_require(done.pid > 0, "fork failed");
  timing_require(waitpid(done.pid, &done.status, 0) == done.pid, "waitpid failed");
  return done;
}

static void by_fork(void* unused) {
  (void)unused;
  check_status(fork_and_wait().status);
}

// It ends when the other end of its socket is closed.
static void serve(int requests) {
  char request;
  while (read(requests, &request, 1) == 1) {
    const answer done = fork_and_wait();
    if (write(requests, &done, sizeof(done)) != sizeof(done)) break;
  }
  _exit(0);
}

static void by_server(void* socket_end) {
  const int server = *(const int*)socket_end;
  answer done;
  timing_require(write(server, "", 1) == 1, "the server is gone");
  timing_require(read(server, &done, sizeof(done)) == sizeof(done), "no answer");
  check_status(done.status);
}

static void by_image(void* program) {
  char* arguments[] = {program, NULL};
  pid_t pid;
  int status;
  timing_require(posix_spawn(&pid, program, NULL, NULL, arguments, environ) == 0,
                 "no such program");
  timing_require(waitpid(pid, &status, 0) == pid, "waitpid failed");
  check_status(status);
}

static void measure_server(int starts) {
  int ends[2];
  timing_require(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0, "no socket pair");
  const pid_t server = fork();
  timing_require(server >= 0, "fork failed");
  if (server == 0) {
    close(ends[0]);
    serve(ends[1]);
  }
  close(ends[1]);
  timing_print_median(starts, by_server, &ends[0]);
  close(ends[0]);
  waitpid(server, NULL, 0);
}

int main(int argc, char** argv) {
  timing_require(argc >= 3, "usage: plain_start fork|server|image STARTS [PROGRAM]");
  const int starts = atoi(argv[2]);
  if (strcmp(argv[1], "fork") == 0) {
    timing_print_median(starts, by_fork, NULL);
  } else if (strcmp(argv[1], "server") == 0) {
    measure_server(starts);
  } else {
    timing_require(argc == 4, "which program?");
    timing_print_median(starts, by_image, argv[3]);
  }
  return 0;
}
