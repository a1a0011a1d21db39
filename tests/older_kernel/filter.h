// SPDX-License-Identifier: Apache-2.0
// A seccomp filter that makes a newer kernel answer as 5.10 does.
//
// What a filter cannot see stays newer: uretprobe, which no filter is asked about; structs behind
// pointers (clone3, openat2, io_uring's entries); the fields that statx() and /proc have more of; a
// pidfd's inode of its own (6.9); flags that 5.10 ignores; calls of the vDSO.
#ifndef MPC_TESTS_OLDER_KERNEL_FILTER_H
#define MPC_TESTS_OLDER_KERNEL_FILTER_H

#ifdef __cplusplus
extern "C" {
#endif

struct sock_filter;

enum {
  kLastCall = 440,         // process_madvise, the last one of 5.10
  kFirstUnifiedCall = 424  // pidfd_send_signal: from here on all processors have the same numbers
};

// Filters this process, and all that it starts from now on. -1 and errno where that is refused.
int become_older(void);

// As become_older(), with a filter of the caller's.
int set_filter(struct sock_filter* code, unsigned short count);

#ifdef __cplusplus
}
#endif

#endif
