// SPDX-License-Identifier: Apache-2.0
// older_kernel COMMAND...: runs a command, and all that it starts, as if on kernel 5.10: system
// calls that came later answer ENOSYS, and advice to madvise() that came later answers EINVAL.
// older_kernel --probe: whether it is so here.
#define _GNU_SOURCE
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define NATIVE_ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE_ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#error "add the architecture's name here; its newer calls have the same numbers"
#endif

enum {
  kLastCall = 440,      // process_madvise, the last one of 5.10
  kLastAdvice = 21,     // MADV_PAGEOUT
  kPoisonAdvice = 100,  // MADV_HWPOISON and MADV_SOFT_OFFLINE, which are older
  kLaterAdvice = 102,   // MADV_GUARD_INSTALL
  kPopulateWrite = 23   // MADV_POPULATE_WRITE, 5.14
};

#define FIELD(name) (offsetof(struct seccomp_data, name))

static int become_older(void) {
  struct sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, FIELD(arch)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NATIVE_ARCHITECTURE, 0, 8),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, FIELD(nr)),
      BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, kLastCall, 7, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_madvise, 0, 5),
      // The third argument is an int: on these processors its bytes come first.
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, FIELD(args[2])),
      BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, kLaterAdvice, 2, 0),
      BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, kPoisonAdvice, 2, 0),
      BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, kLastAdvice, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
  };
  const struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0) return 0;
  // Without privileges a process must first give up gaining any.
  if (errno != EACCES || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -1;
  return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

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
