// SPDX-License-Identifier: Apache-2.0
// Who a process is, and whether it lives: asked of the kernel, never guessed from a timeout.
//
// A pid alone names nobody: it is used again. From Linux 6.9 on a pidfd's inode names a process for
// good (pidfs); before, its start time in /proc/PID/stat does. Where neither can be had (no /proc
// on an old kernel) the pid has to do.
//
// Dead is what a pidfd reports readable, and what pidfd_open() does not know. A stopped process, a
// process whose main thread has left, and one that may not be looked at are alive.
#ifndef MPC_OS_IDENTITY_HPP
#define MPC_OS_IDENTITY_HPP

#include <cstdint>

#include "base/fd.hpp"

namespace mpc {

enum class Life { kAlive, kDead };

// A pidfd of the process. Without one because descriptors ran out: the spare is given up for the
// time of the question (see spare_descriptor.hpp). -1 and errno where there is none.
Fd open_pidfd(int32_t pid);

// What tells this process from others that have had or will have its pid; 0 where unknown.
uint64_t process_identity(int32_t pid);
// The same for the process that a pidfd was opened for.
uint64_t pidfd_identity(int pidfd, int32_t pid);

// Whether the process with this pid and identity lives; an identity of 0 fits any.
Life process_life(int32_t pid, uint64_t identity);

// As process_life(), and besides whether its image still maps the file with this inode: one that
// replaced itself by exec has left whatever it was part of.
Life process_life_mapping(int32_t pid, uint64_t identity, uint64_t mapped_inode);

// Whether /proc has the numbers of this process's own namespace. Where a new namespace was entered
// without mounting it anew, /proc/N is another process than N.
bool proc_is_ours();

// True once the kernel says that the process of this pidfd has ended.
bool pidfd_ended(int pidfd, int64_t timeout_ns);

// The exit code of an ended process that somebody else reaped, -N for a signal, where the kernel
// still knows it (PIDFD_GET_INFO with exit information, Linux 6.15); kNoExitCode elsewhere.
inline constexpr int kNoExitCode = -1000;
int pidfd_exit_code(int pidfd);

}  // namespace mpc

#endif
