// SPDX-License-Identifier: Apache-2.0
// older_kernel COMMAND...: runs a command, and all that it starts, as if on kernel 5.10: system
// calls that came later answer ENOSYS, and values and flags that came later as they did on 5.10.
// older_kernel --probe: whether it is so here.
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "older_kernel/filter.h"

enum {
  kLastAdvice = 21,     // MADV_PAGEOUT
  kPopulateWrite = 23,  // MADV_POPULATE_WRITE, 5.14
  kPoisonAdvice = 100,  // MADV_HWPOISON, which is older
  kLaterAdvice = 102    // MADV_GUARD_INSTALL
};

static int answers(long result, int error) { return result == -1 && errno == error; }

static int probe(void) {
  int failures = 0;
  for (long call = kLastCall + 1; call < kLastCall + 40; call++) {
    if (answers(syscall(call, -1, -1, -1, -1, -1, -1), ENOSYS)) continue;
    printf("system call %ld is there\n", call);
    failures++;
  }
  const size_t size = (size_t)sysconf(_SC_PAGESIZE);
  void* page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  const int later[] = {kLastAdvice + 1, kPopulateWrite, kPoisonAdvice - 1, kLaterAdvice};
  for (size_t i = 0; i < sizeof(later) / sizeof(later[0]); i++) {
    if (answers(madvise(page, size, later[i]), EINVAL)) continue;
    printf("advice %d is there\n", later[i]);
    failures++;
  }
  if (madvise(page, size, MADV_DONTNEED) != 0) {
    printf("MADV_DONTNEED is gone\n");
    failures++;
  }
  if (answers(syscall(SYS_getpid), ENOSYS)) {
    printf("getpid is gone\n");
    failures++;
  }
  return failures != 0;
}

int main(int count, char** arguments) {
  if (count < 2) {
    fprintf(stderr, "usage: older_kernel COMMAND...\n");
    return 2;
  }
  if (become_older() != 0) {
    fprintf(stderr, "older_kernel: no seccomp filter can be set: %s\n", strerror(errno));
    return 77;
  }
  if (strcmp(arguments[1], "--probe") == 0) return probe();
  execvp(arguments[1], &arguments[1]);
  fprintf(stderr, "older_kernel: %s: %s\n", arguments[1], strerror(errno));
  return 127;
}
