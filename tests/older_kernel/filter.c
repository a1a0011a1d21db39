// SPDX-License-Identifier: Apache-2.0
#include "older_kernel/filter.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
#define NATIVE_ARCHITECTURE AUDIT_ARCH_X86_64
enum { kLastOldCall = 334 };  // rseq
#elif defined(__aarch64__)
#define NATIVE_ARCHITECTURE AUDIT_ARCH_AARCH64
enum { kLastOldCall = 294 };  // kexec_file_load
#else
#error "add the architecture's name here; its newer calls have the same numbers"
#endif

// An argument whose lower half, of which the bits of `mask` count, lies between two numbers.
struct range {
  unsigned argument;
  unsigned mask;
  unsigned from;
  unsigned to;
};

struct rule {
  int call;
  int error;
  struct range refused;
  struct range only;  // a second argument that must fit as well; anything where it is left out
};

#define FROM(argument, from) \
  { argument, ~0u, from, ~0u }
#define BETWEEN(argument, from, to) \
  { argument, ~0u, from, to }
#define IS(argument, value) \
  { argument, ~0u, value, value }
#define BEYOND(argument, known) \
  { argument, ~(unsigned)(known), 1, ~0u }
#define NEGATIVE(argument) \
  { argument, 1u << 31, 1u << 31, 1u << 31 }
#define ALWAYS \
  { 0, 0, 0, 0 }

// What 5.10 refuses and a later kernel, up to 6.18, takes. Numbers, as the headers may be old, too.
static const struct rule rules[] = {
    // MADV_POPULATE_READ (5.14) to MADV_COLLAPSE (6.1); 100 and 101 are old; MADV_GUARD_INSTALL
    {__NR_madvise, EINVAL, BETWEEN(2, 22, 99), ALWAYS},
    {__NR_madvise, EINVAL, FROM(2, 102), ALWAYS},
    // MADV_COLD and MADV_PAGEOUT alone; PIDFD_SELF (6.15)
    {__NR_process_madvise, EBADF, NEGATIVE(0), ALWAYS},
    {__NR_process_madvise, EINVAL, BETWEEN(3, 0, 19), ALWAYS},
    {__NR_process_madvise, EINVAL, FROM(3, 22), ALWAYS},
    // MAP_DROPPABLE (6.11)
    {__NR_mmap, EINVAL, {3, 0xf, 4, 0xf}, ALWAYS},
    // MPOL_PREFERRED_MANY (5.15), MPOL_WEIGHTED_INTERLEAVE (6.9), MPOL_F_NUMA_BALANCING (5.12)
    {__NR_mbind, EINVAL, {2, 0x3fff, 5, 0x3fff}, ALWAYS},
    {__NR_set_mempolicy, EINVAL, {0, 0x3fff, 5, 0x3fff}, ALWAYS},
    // MFD_NOEXEC_SEAL and MFD_EXEC (6.3); the highest bits are the size of a huge page
    {__NR_memfd_create, EINVAL, {1, 0x03fffff8, 1, ~0u}, ALWAYS},
    // UFFD_USER_MODE_ONLY (5.11)
    {__NR_userfaultfd, EINVAL, IS(0, 1), ALWAYS},
    // FALLOC_FL_WRITE_ZEROES (6.17)
    {__NR_fallocate, EOPNOTSUPP, BEYOND(1, 0x7f), ALWAYS},
    // RWF_NOAPPEND (6.9), RWF_ATOMIC (6.11), RWF_DONTCACHE (6.14)
    {__NR_preadv2, EOPNOTSUPP, BEYOND(5, 0x1f), ALWAYS},
    {__NR_pwritev2, EOPNOTSUPP, BEYOND(5, 0x1f), ALWAYS},

    // F_DUPFD_QUERY (6.10), F_CREATED_QUERY (6.12); F_SEAL_EXEC (6.3)
    {__NR_fcntl, EINVAL, BETWEEN(1, 1027, 1029), ALWAYS},
    {__NR_fcntl, EINVAL, FROM(1, 1039), ALWAYS},
    {__NR_fcntl, EINVAL, BEYOND(2, 0x1f), IS(1, 1033)},
    // CLOSE_RANGE_CLOEXEC (5.11)
    {__NR_close_range, EINVAL, BEYOND(2, 2), ALWAYS},
    // AT_HANDLE_FID (6.5), AT_HANDLE_MNT_ID_UNIQUE (6.12), AT_HANDLE_CONNECTABLE (6.13)
    {__NR_name_to_handle_at, EINVAL, BEYOND(4, 0x1400), ALWAYS},
    // PIDFD_GET_INFO (6.13) and its like; epoll's own (6.9); those of a file system (6.9)
    {__NR_ioctl, ENOTTY, {1, 0xff00, 0xff00, 0xff00}, ALWAYS},
    {__NR_ioctl, ENOTTY, {1, 0xff00, 0x8a00, 0x8a00}, ALWAYS},
    {__NR_ioctl, ENOTTY, {1, 0xff00, 0x1500, 0x1500}, ALWAYS},
    // NS_GET_MNTNS_ID (6.11) and what followed; PAGEMAP_SCAN (6.7), PROCMAP_QUERY (6.11)
    {__NR_ioctl, ENOTTY, {1, 0xffff, 0xb705, 0xb7ff}, ALWAYS},
    {__NR_ioctl, ENOTTY, IS(1, 0xc0606610), ALWAYS},
    {__NR_ioctl, ENOTTY, IS(1, 0xc0686611), ALWAYS},
    // SO_PREFER_BUSY_POLL (5.11) and on, among them SO_PASSPIDFD and SO_PEERPIDFD (6.5)
    {__NR_setsockopt, ENOPROTOOPT, FROM(2, 69), IS(1, 1)},
    {__NR_getsockopt, ENOPROTOOPT, FROM(2, 69), IS(1, 1)},
    // IORING_ENTER_EXT_ARG (5.11); IORING_REGISTER_BUFFERS2 (5.13)
    {__NR_io_uring_enter, EINVAL, BEYOND(3, 7), ALWAYS},
    {__NR_io_uring_register, EINVAL, FROM(1, 13), ALWAYS},

    // PIDFD_THREAD (6.9); PIDFD_SIGNAL_THREAD and its like (6.9), PIDFD_SELF (6.15)
    {__NR_pidfd_open, EINVAL, BEYOND(1, 04000), ALWAYS},
    {__NR_pidfd_send_signal, EBADF, NEGATIVE(0), ALWAYS},
    {__NR_pidfd_send_signal, EINVAL, BEYOND(3, 0), ALWAYS},
    // AT_EXECVE_CHECK (6.14)
    {__NR_execveat, EINVAL, BEYOND(4, 0x1100), ALWAYS},
    // SCHED_EXT (6.12)
    {__NR_sched_setscheduler, EINVAL, {1, ~0x40000000u, 7, ~0u}, ALWAYS},
    // PR_SET_SYSCALL_USER_DISPATCH (5.11) and on, PR_SET_VMA (5.17), PR_GET_AUXV (6.4); between
    // them
    // PR_SET_PTRACER, which is old
    {__NR_prctl, EINVAL, BETWEEN(0, 59, 0x59616d60), ALWAYS},
    {__NR_prctl, EINVAL, FROM(0, 0x59616d62), ALWAYS},
    // PR_THP_DISABLE_EXCEPT_ADVISED (6.18); PR_SPEC_L1D_FLUSH (5.15)
    {__NR_prctl, EINVAL, BEYOND(2, 0), IS(0, 41)},
    {__NR_prctl, ENODEV, FROM(1, 2), BETWEEN(0, 52, 53)},
#ifdef __NR_arch_prctl
    // ARCH_GET_XCOMP_SUPP (5.16) and on, ARCH_SHSTK_ENABLE (6.6); the old ARCH_MAP_VDSO between
    // them
    {__NR_arch_prctl, EINVAL, BETWEEN(0, 0x1013, 0x2000), ALWAYS},
    {__NR_arch_prctl, EINVAL, FROM(0, 0x2004), ALWAYS},
#endif
    // PTRACE_GET_RSEQ_CONFIGURATION (5.13) and on
    {__NR_ptrace, EIO, FROM(0, 0x420f), ALWAYS},
    // SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (5.19)
    {__NR_seccomp, EINVAL, BEYOND(1, 0x1f), ALWAYS},
    // FUTEX_LOCK_PI2 (5.14)
    {__NR_futex, ENOSYS, {1, ~0x180u, 13, ~0u}, ALWAYS},
    // MEMBARRIER_CMD_GET_REGISTRATIONS (6.3)
    {__NR_membarrier, EINVAL, FROM(0, 0x200), ALWAYS},
};

enum {
  kRules = sizeof(rules) / sizeof(rules[0]),
  kStepsOfRange = 4,
  kStepsOfRule = 2 + 2 * kStepsOfRange + 1,
  kStepsAround = 10
};

#define LOAD(field) \
  (struct sock_filter) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define AND(mask) (struct sock_filter) BPF_STMT(BPF_ALU | BPF_AND | BPF_K, mask)
#define JUMP(test, value, if_so, if_not) \
  (struct sock_filter) BPF_JUMP(BPF_JMP | (test) | BPF_K, value, if_so, if_not)
#define ANSWER(action) (struct sock_filter) BPF_STMT(BPF_RET | BPF_K, action)
#define REFUSE(error) ANSWER(SECCOMP_RET_ERRNO | (unsigned)(error))

// Goes on behind itself where the argument fits, else `rest` steps further.
static struct sock_filter* add_range(struct sock_filter* step, const struct range* range,
                                     unsigned char rest) {
  *step = LOAD(args[0]);
  // On these processors the bytes of the lower half come first.
  step->k += range->argument * sizeof(__u64);
  step[1] = AND(range->mask);
  step[2] = JUMP(BPF_JGE, range->from, 0, (unsigned char)(rest + 1));
  step[3] = JUMP(BPF_JGT, range->to, rest, 0);
  return step + kStepsOfRange;
}

static struct sock_filter* add_rule(struct sock_filter* step, const struct rule* rule) {
  *step++ = LOAD(nr);
  *step++ = JUMP(BPF_JEQ, (unsigned)rule->call, 0, kStepsOfRule - 2);
  step = add_range(step, &rule->only, kStepsOfRange + 1);
  step = add_range(step, &rule->refused, 1);
  *step++ = REFUSE(rule->error);
  return step;
}

int become_older(void) {
  struct sock_filter code[kStepsAround + kRules * kStepsOfRule];
  struct sock_filter* step = code;
  // Newer calls have one number on all processors, so this holds for 32-bit programs as well.
  *step++ = LOAD(nr);
  *step++ = JUMP(BPF_JGT, kLastCall, 6, 0);
  *step++ = LOAD(arch);
  *step++ = JUMP(BPF_JEQ, NATIVE_ARCHITECTURE, 1, 0);
  *step++ = ANSWER(SECCOMP_RET_ALLOW);
  *step++ = LOAD(nr);
  *step++ = JUMP(BPF_JGE, kFirstUnifiedCall, 2, 0);
  *step++ = JUMP(BPF_JGT, kLastOldCall, 0, 1);
  *step++ = REFUSE(ENOSYS);
  for (size_t i = 0; i < kRules; i++) step = add_rule(step, &rules[i]);
  *step++ = ANSWER(SECCOMP_RET_ALLOW);
  return set_filter(code, (unsigned short)(step - code));
}

int set_filter(struct sock_filter* code, unsigned short count) {
  const struct sock_fprog program = {count, code};
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0) return 0;
  // Without privileges a process must first give up gaining any.
  if (errno != EACCES || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -1;
  return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}
