// SPDX-License-Identifier: Apache-2.0
// What hello_process.c does with the library, by hand: the flush before fork(), the wait that a
// signal may interrupt and the two ways to end are the program's own business here, and nobody
// ends the child when its parent is killed.
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <stdio.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

static void introduce(const char* what) {
  printf("%s: pid %ld, parent's pid %ld\n", what, (long)getpid(), (long)getppid());
}

static int hello(const char* whom) {
  introduce("child");
  printf("hello, %s\n", whom);
  return 7;
}

int main(void) {
  introduce("parent");
  if (fflush(stdout) != 0) return 1;
  pid_t child = fork();
  if (child < 0) {
    perror("hello_fork: fork");
    return 1;
  }
  if (child == 0) {
    int exit_code = hello("Ada");
    fflush(stdout);
    _exit(exit_code);
  }
  int status;
  while (waitpid(child, &status, 0) < 0) {
    if (errno == EINTR) continue;
    perror("hello_fork: waitpid");
    return 1;
  }
  printf("joined, exit code %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status));
  return 0;
}
