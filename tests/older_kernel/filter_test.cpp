// SPDX-License-Identifier: Apache-2.0
// What the filter refuses. No call that is asked about reaches the kernel: an earlier filter
// refuses, with an error that no kernel gives, what this one lets through.
#include "older_kernel/filter.h"

#include <errno.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <iterator>

#include "support/wait.hpp"

namespace mpc::test {
namespace {

constexpr int kAllowed = 4000;
constexpr int kNoFilter = 77;
constexpr unsigned kMark = 0x6d61726b;

struct Question {
  int error;
  long call;
  unsigned long arguments[6];
};

#ifdef __x86_64__
constexpr long kLastOldCall = 334;
// Newer kernels let no filter refuse uretprobe and uprobe.
constexpr long kNextCall = 337;
#else
constexpr long kLastOldCall = 294;
constexpr long kNextCall = 295;
#endif
constexpr unsigned long kMinusOne = ~0ul;

const Question questions[] = {
    // Whole calls, up to those of 6.18 and beyond.
    {ENOSYS, 441, {}},
    {ENOSYS, 469, {}},
    {ENOSYS, 470, {}},
    {ENOSYS, 511, {}},
    {ENOSYS, 1000, {}},
    {kAllowed, 440, {0, 0, 0, MADV_COLD}},
    {kAllowed, 424, {}},
    {ENOSYS, 423, {}},
    {ENOSYS, kNextCall, {}},
    {kAllowed, kLastOldCall, {}},
    {kAllowed, SYS_getpid, {}},
    {kAllowed, SYS_clone, {}},
    {kAllowed, SYS_clone3, {0, 88}},
    {kAllowed, SYS_waitid, {3, 5}},

    // Memory.
    {kAllowed, SYS_madvise, {0, 0, MADV_PAGEOUT}},
    {EINVAL, SYS_madvise, {0, 0, 22}},
    {EINVAL, SYS_madvise, {0, 0, 23}},
    {EINVAL, SYS_madvise, {0, 0, 24}},
    {EINVAL, SYS_madvise, {0, 0, 25}},
    {EINVAL, SYS_madvise, {0, 0, 99}},
    {kAllowed, SYS_madvise, {0, 0, 100}},
    {kAllowed, SYS_madvise, {0, 0, 101}},
    {EINVAL, SYS_madvise, {0, 0, 102}},
    {EINVAL, SYS_madvise, {0, 0, 103}},
    {EINVAL, SYS_madvise, {0, 0, kMinusOne}},
    {EINVAL, SYS_process_madvise, {3, 0, 0, MADV_WILLNEED}},
    {EINVAL, SYS_process_madvise, {3, 0, 0, 19}},
    {kAllowed, SYS_process_madvise, {3, 0, 0, MADV_PAGEOUT}},
    {EINVAL, SYS_process_madvise, {3, 0, 0, 22}},
    {EBADF, SYS_process_madvise, {static_cast<unsigned long>(-10000), 0, 0, MADV_COLD}},
    {kAllowed, SYS_mmap, {0, 0, 0, MAP_PRIVATE | MAP_ANONYMOUS}},
    {kAllowed, SYS_mmap, {0, 0, 0, MAP_SHARED | MAP_NORESERVE | MAP_FIXED_NOREPLACE}},
    {kAllowed, SYS_mmap, {0, 0, 0, 3}},
    {EINVAL, SYS_mmap, {0, 0, 0, 8}},
    {EINVAL, SYS_mmap, {0, 0, 0, 8 | MAP_ANONYMOUS}},
    {kAllowed, SYS_mbind, {0, 0, 4}},
    {EINVAL, SYS_mbind, {0, 0, 5}},
    {kAllowed, SYS_set_mempolicy, {0x8000 | 4}},
    {EINVAL, SYS_set_mempolicy, {6}},
    {EINVAL, SYS_set_mempolicy, {0x2000 | 2}},
    {kAllowed, SYS_memfd_create, {0, MFD_CLOEXEC | MFD_ALLOW_SEALING}},
    {kAllowed, SYS_memfd_create, {0, MFD_HUGETLB | 21ul << 26}},
    {EINVAL, SYS_memfd_create, {0, MFD_CLOEXEC | 8}},
    {EINVAL, SYS_memfd_create, {0, 0x10}},
    {kAllowed, SYS_userfaultfd, {O_CLOEXEC}},
    {EINVAL, SYS_userfaultfd, {1}},
    {kAllowed, SYS_fallocate, {0, 3}},
    {EOPNOTSUPP, SYS_fallocate, {0, 0x80}},
    {kAllowed, SYS_preadv2, {0, 0, 0, 0, kMark, 0x1f}},
    {EOPNOTSUPP, SYS_preadv2, {0, 0, 0, 0, kMark, 0x80}},
    {kAllowed, SYS_pwritev2, {0, 0, 0, 0, kMark, 0x10}},
    {EOPNOTSUPP, SYS_pwritev2, {0, 0, 0, 0, kMark, 0x20}},

    // Descriptors.
    {kAllowed, SYS_fcntl, {0, F_SETFL, ~0u}},
    {kAllowed, SYS_fcntl, {0, 1026}},
    {EINVAL, SYS_fcntl, {0, 1027}},
    {EINVAL, SYS_fcntl, {0, 1028}},
    {kAllowed, SYS_fcntl, {0, F_DUPFD_CLOEXEC, 1000}},
    {kAllowed, SYS_fcntl, {0, F_GET_SEALS, 0x20}},
    {kAllowed, SYS_fcntl, {0, F_ADD_SEALS, 0x1f}},
    {EINVAL, SYS_fcntl, {0, F_ADD_SEALS, 0x20}},
    {kAllowed, SYS_fcntl, {0, 1038}},
    {EINVAL, SYS_fcntl, {0, 1039}},
    {kAllowed, SYS_close_range, {3, ~0u, 0}},
    {kAllowed, SYS_close_range, {3, ~0u, 2}},
    {EINVAL, SYS_close_range, {3, ~0u, 4}},
    {EINVAL, SYS_close_range, {3, ~0u, 6}},
    {kAllowed, SYS_name_to_handle_at, {0, 0, 0, 0, 0x1400}},
    {EINVAL, SYS_name_to_handle_at, {0, 0, 0, 0, 0x200}},
    {kAllowed, SYS_ioctl, {0, 0x5401}},
    {kAllowed, SYS_ioctl, {0, 0x541b}},
    {ENOTTY, SYS_ioctl, {0, 0xc040ff0b}},
    {ENOTTY, SYS_ioctl, {0, 0xff01}},
    {ENOTTY, SYS_ioctl, {0, 0x40088a01}},
    {ENOTTY, SYS_ioctl, {0, 0x80111500}},
    {kAllowed, SYS_ioctl, {0, 0xb704}},
    {ENOTTY, SYS_ioctl, {0, 0x8008b705}},
    {ENOTTY, SYS_ioctl, {0, 0xc0606610}},
    {ENOTTY, SYS_ioctl, {0, 0xc0686611}},
    {kAllowed, SYS_ioctl, {0, 0x80086601}},
    {kAllowed, SYS_getsockopt, {0, 1, 68}},
    {ENOPROTOOPT, SYS_getsockopt, {0, 1, 77}},
    {kAllowed, SYS_getsockopt, {0, 6, 77}},
    {kAllowed, SYS_setsockopt, {0, 1, 16}},
    {ENOPROTOOPT, SYS_setsockopt, {0, 1, 69}},
    {kAllowed, SYS_setsockopt, {0, 41, 69}},
    {kAllowed, SYS_io_uring_enter, {0, 0, 0, 7}},
    {EINVAL, SYS_io_uring_enter, {0, 0, 0, 8}},
    {kAllowed, SYS_io_uring_register, {0, 12}},
    {EINVAL, SYS_io_uring_register, {0, 13}},

    // Processes.
    {kAllowed, SYS_pidfd_open, {1, 0}},
    {kAllowed, SYS_pidfd_open, {1, O_NONBLOCK}},
    {EINVAL, SYS_pidfd_open, {1, O_EXCL}},
    {kAllowed, SYS_pidfd_send_signal, {3, 9, 0, 0}},
    {EINVAL, SYS_pidfd_send_signal, {3, 9, 0, 1}},
    {EBADF, SYS_pidfd_send_signal, {static_cast<unsigned long>(-10000), 9, 0, 0}},
    {kAllowed, SYS_execveat, {0, 0, 0, 0, 0x1100}},
    {EINVAL, SYS_execveat, {0, 0, 0, 0, 0x10000}},
    {kAllowed, SYS_sched_setscheduler, {0, 0x40000006}},
    {EINVAL, SYS_sched_setscheduler, {0, 7}},
    {kAllowed, SYS_prctl, {1, 9}},
    {kAllowed, SYS_prctl, {58}},
    {EINVAL, SYS_prctl, {59}},
    {EINVAL, SYS_prctl, {62}},
    {EINVAL, SYS_prctl, {65}},
    {EINVAL, SYS_prctl, {78}},
    {EINVAL, SYS_prctl, {0x53564d41}},
    {EINVAL, SYS_prctl, {0x41555856}},
    {EINVAL, SYS_prctl, {0x59616d60}},
    {kAllowed, SYS_prctl, {0x59616d61}},
    {EINVAL, SYS_prctl, {0x59616d62}},
    {kAllowed, SYS_prctl, {41, 1, 0}},
    {EINVAL, SYS_prctl, {41, 1, 2}},
    {kAllowed, SYS_prctl, {52, 1}},
    {ENODEV, SYS_prctl, {52, 2}},
    {ENODEV, SYS_prctl, {53, 2}},
    {kAllowed, SYS_prctl, {54, 2}},
#ifdef SYS_arch_prctl
    {kAllowed, SYS_arch_prctl, {0x1002}},
    {kAllowed, SYS_arch_prctl, {0x1012}},
    {EINVAL, SYS_arch_prctl, {0x1023}},
    {kAllowed, SYS_arch_prctl, {0x2003}},
    {EINVAL, SYS_arch_prctl, {0x5001}},
#endif
    {kAllowed, SYS_ptrace, {0x4206}},
    {kAllowed, SYS_ptrace, {0x420e}},
    {EIO, SYS_ptrace, {0x420f}},
    {EIO, SYS_ptrace, {0x4212}},
    {kAllowed, SYS_seccomp, {1, 0x1f}},
    {EINVAL, SYS_seccomp, {1, 0x20}},
    {kAllowed, SYS_futex, {0, 12}},
    {kAllowed, SYS_futex, {0, 9 | 0x180}},
    {ENOSYS, SYS_futex, {0, 13}},
    {ENOSYS, SYS_futex, {0, 13 | 0x180}},
    {kAllowed, SYS_membarrier, {0x100}},
    {EINVAL, SYS_membarrier, {0x200}},
};
constexpr size_t kQuestions = std::size(questions);

unsigned fifth_argument() { return offsetof(seccomp_data, args[4]); }
unsigned sixth_argument() { return offsetof(seccomp_data, args[5]); }

// Refuses every call that bears the mark in its fifth or sixth argument.
bool refuse_marked_calls() {
  sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, fifth_argument()),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kMark, 2, 0),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, sixth_argument()),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kMark, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | kAllowed),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  return set_filter(code, std::size(code)) == 0;
}

int answer_to(const Question& question) {
  const unsigned long* at = question.arguments;
  unsigned long last = at[4] == kMark ? at[5] : kMark;
  long result = syscall(question.call, at[0], at[1], at[2], at[3], at[4], last);
  int error = result == -1 ? errno : 0;
  // No later call may find the mark in a register.
  syscall(SYS_getpid, 0, 0, 0, 0, 0, 0);
  return error;
}

TEST(OlderKernelTest, RefusesWhatCameAfter510AndNothingElse) {
  struct Answers {
    int errors[kQuestions];
  };
  SharedPage<Answers> answers;
  int asked = wait_for(fork_and([&] {
    // Of two filters that refuse the later one's error counts.
    if (!refuse_marked_calls() || become_older() != 0) return kNoFilter;
    for (size_t i = 0; i < kQuestions; ++i) answers->errors[i] = answer_to(questions[i]);
    return 0;
  }));
  if (asked == kNoFilter) GTEST_SKIP() << "no seccomp filter can be set here";
  ASSERT_EQ(asked, 0);
  for (size_t i = 0; i < kQuestions; ++i) {
    const Question& question = questions[i];
    EXPECT_EQ(answers->errors[i], question.error)
        << "question " << i << ": call " << question.call << std::hex << " of 0x"
        << question.arguments[0] << ", 0x" << question.arguments[1] << ", 0x"
        << question.arguments[2] << ", 0x" << question.arguments[3] << ", 0x"
        << question.arguments[4] << ", 0x" << question.arguments[5];
  }
}

}  // namespace
}  // namespace mpc::test
