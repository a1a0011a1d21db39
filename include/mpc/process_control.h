/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * What can be done with a process besides starting, joining and ending it: interrupt it, end it
 * within a time, end its whole tree, wait for it by a descriptor, let it go, and ask what it used.
 *
 * @code
 * if (mpc_process_stop(process, MPC_SECONDS(5), NULL) < 0) return 1;  // SIGTERM, then SIGKILL
 * mpc_process_usage usage = MPC_PROCESS_USAGE_INIT;
 * mpc_process_usage_get(process, &usage);
 * @endcode
 *
 * Included by mpc/process.h, which has the handle.
 */
#ifndef LIBMPC_PROCESS_CONTROL_H
#define LIBMPC_PROCESS_CONTROL_H

#include <mpc/process.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Sends SIGINT, as Ctrl-C does. Otherwise as mpc_process_terminate(). A pool worker ignores it.
 *
 * Python: Process.interrupt().
 *
 * Blocks: never. Threads: any. Since: 0.1.
 */
MPC_API mpc_status mpc_process_interrupt(mpc_process* process);

/** What it took to end a process. */
typedef enum mpc_stop_way {
  MPC_STOP_NOTHING = 0,    /**< It had ended already. */
  MPC_STOP_TERMINATED = 1, /**< SIGTERM was sent, and it ended in time. */
  MPC_STOP_KILLED = 2      /**< SIGKILL was sent as well. */
} mpc_stop_way;

/**
 * Ends the process and waits for its end: sends SIGTERM, and SIGKILL if it runs still when the time
 * is over.
 *
 * In Python these are terminate(), join(timeout), kill() and join().
 *
 * @param grace_ns  How long it has after SIGTERM, in nanoseconds. 0 sends both at once, MPC_FOREVER
 *                  never sends SIGKILL.
 * @param out_way   Receives what it took; NULL is fine.
 * @return MPC_OK       It has ended.
 *         MPC_ESTATE   It was not started, or it is closed.
 *         MPC_ECHILD   It was made by another process.
 *         MPC_ESYSTEM  The kernel refuses a signal.
 *
 * Blocks: up to `grace_ns`, and for as long as the kernel takes to end a killed process; goes on
 * after signals. Threads: any. Since: 0.1.
 */
MPC_API mpc_status mpc_process_stop(mpc_process* process, int64_t grace_ns, mpc_stop_way* out_way);

/**
 * Sends SIGTERM to the process and to all of its descendants.
 *
 * Those are its children, their children and so on, whether this library started them (also where
 * the kernel has them as another's children) or they were forked by the program, detached ones
 * included. Who came of a descendant that has ended already is no descendant any more.
 *
 * So that none is missed, all of them are stopped (SIGSTOP) while they are looked for, and
 * continued (SIGCONT) when the signal is sent; one that was stopped before stays stopped, and gets
 * the signal when somebody continues it. The youngest are continued first; but a parent that ends
 * takes the children with it that are tied to its life. A process that has ended already is left
 * alone, its descendants as well.
 *
 * @return MPC_OK
 *         MPC_ESTATE   It was not started, or it is closed.
 *         MPC_ECHILD   It was made by another process.
 *         MPC_ENOTSUP  /proc is missing, or another namespace's. Nothing was sent.
 *         MPC_ESYSTEM  The kernel refuses a signal to one of them, as after a change of its user;
 *                      the others were sent theirs.
 *
 * Blocks: never for others' work; some milliseconds, and at most 200 ms each time that one of them
 * does not stop at once. Threads: any. Since: 0.1.
 */
MPC_API mpc_status mpc_process_terminate_tree(mpc_process* process);

/**
 * Sends SIGKILL to the process and to all of its descendants. Otherwise as
 * mpc_process_terminate_tree().
 *
 * Blocks: as mpc_process_terminate_tree(). Threads: any. Since: 0.1.
 */
MPC_API mpc_status mpc_process_kill_tree(mpc_process* process);

/**
 * Opens a descriptor that poll(), select() and epoll report as readable once the process has ended.
 *
 * There is nothing to be read from it. Reap the process by mpc_process_join() or any other call
 * that looks at it. Each call opens another one.
 *
 * Python: Process.sentinel; there the process keeps it.
 *
 * @param out_fd  Receives it: closed on exec, above 2, the caller's to close.
 * @return MPC_OK       Also where it has ended.
 *         MPC_ESTATE   It was not started (Python: ValueError), or it is closed.
 *         MPC_ECHILD   It was made by another process.
 *         MPC_ESYSTEM  No descriptor is free.
 *
 * Blocks: never. Threads: any. Since: 0.1.
 */
MPC_API MPC_NODISCARD mpc_status mpc_process_sentinel(mpc_process* process, int* out_fd);

/**
 * Lets the process live on when its parent dies or exits, as mpc_process_options::detach does.
 *
 * Before the start it always can be. A process that runs is untied by way of its descriptors, for
 * which the kernel asks that this process might trace it (ptrace(2)): in a sandbox, or under a
 * security module that forbids that, or where the process has changed its user, it cannot be.
 *
 * @return MPC_OK       Also where it was detached before, or has ended.
 *         MPC_ESTATE   It is closed.
 *         MPC_ECHILD   It was made by another process.
 *         MPC_ENOTSUP  The kernel forbids it, or the process is tied by the signal that only itself
 *                      could take back (it had no descriptor free when it began), or is stopped
 *                      before its first steps. It is tied as before.
 *
 * Blocks: until the process has taken its first steps, at most a second. Threads: any. Since: 0.1.
 */
MPC_API MPC_NODISCARD mpc_status mpc_process_detach(mpc_process* process);

/** What a process has used from its start to its end, and with it those of its children that it
    has waited for. */
typedef struct mpc_process_usage {
  size_t struct_size;            /**< sizeof(mpc_process_usage), set by the caller. */
  uint32_t known;                /**< 1; 0: something else reaped it, and all below is 0. */
  uint32_t core_dumped;          /**< 1: a signal ended it and it left a core dump. */
  int64_t user_ns;               /**< CPU time in its own code, in nanoseconds. */
  int64_t system_ns;             /**< CPU time in the kernel, in nanoseconds. */
  uint64_t max_rss_bytes;        /**< Most memory that was resident at once. */
  uint64_t minor_faults;         /**< Page faults that needed no reading. */
  uint64_t major_faults;         /**< Page faults that did. */
  uint64_t voluntary_switches;   /**< How often it waited for something. */
  uint64_t involuntary_switches; /**< How often the CPU was taken from it. */
} mpc_process_usage;

/** For FFI and C alike: all zero but the size. */
#define MPC_PROCESS_USAGE_INIT \
  { sizeof(mpc_process_usage), 0, 0, 0, 0, 0, 0, 0, 0, 0 }

/**
 * Tells what a process has used, as the kernel told it when it was reaped.
 *
 * Under `fork` the memory that it shares with its parent counts as resident in it.
 *
 * @param usage  `struct_size` set by the caller; as many bytes as it says are filled.
 * @return MPC_OK      See `known` in it.
 *         MPC_EINVAL  `struct_size` is 0 or too small.
 *         MPC_ESTATE  It was not started, runs still, or is closed.
 *         MPC_ECHILD  It was made by another process.
 *
 * Blocks: never. Threads: any. Since: 0.1.
 */
MPC_API mpc_status mpc_process_usage_get(mpc_process* process, mpc_process_usage* usage);

#ifdef __cplusplus
}
#endif

#endif
