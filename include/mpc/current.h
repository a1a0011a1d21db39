/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * The calling process itself: who it is, who started it, which children it has, the key it shares
 * with them, and what it does when it exits.
 *
 * @code
 * int32_t parent;
 * if (mpc_process_parent_pid(&parent) == MPC_ESTATE) puts("nobody started me");
 *
 * static void remove_files(void *folder) { ... }
 * mpc_finalizer_add(remove_files, folder, -1, NULL);  // when the children have ended
 * @endcode
 *
 * A process that a child forks by itself answers what the child would have answered: it has its
 * name and its parent. It has none of its finalizers.
 */
#ifndef LIBMPC_CURRENT_H
#define LIBMPC_CURRENT_H

#include <mpc/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Describes the calling process in one line for logs, such as
 * `<Process name='Process-1' pid=12 parent=11 started daemon>`; one that this library did not start
 * has no `parent`. Its name alone: mpc_process_current_name() in mpc/process.h.
 *
 * Python: repr(multiprocessing.current_process()).
 *
 * @param buffer    Receives the text, ended by a NUL, cut where it does not fit.
 * @param capacity  Size of `buffer` in bytes; 160 is always enough.
 * @return Length of the whole text in bytes, without the NUL.
 *
 * Blocks: never. Threads: any. Since: 0.1.
 */
MPC_API size_t mpc_process_current_describe(char* buffer, size_t capacity);

/**
 * Tells whether the calling process was started as a daemon.
 *
 * Python: multiprocessing.current_process().daemon.
 *
 * @return 1 or 0; 0 in a process that this library did not start.
 *
 * Blocks: never. Threads: any. Since: 0.1.
 */
MPC_API int mpc_process_current_is_daemon(void);

/**
 * Lists the pids of the children that this process has started and that run: pool workers and those
 * whose handles were destroyed as well. The others are reaped.
 *
 * Python: multiprocessing.active_children().
 *
 * @param pids       Receives up to `capacity` of them, in the order in which they were started;
 * NULL where `capacity` is 0. Any of them may have ended by the time you look.
 * @param capacity   Room in `pids`, as a number of pids.
 * @param out_count  Receives how many there are, also where that is more than `capacity`.
 * @return MPC_OK.
 *
 * Blocks: never. Threads: any. Since: 0.1.
 */
MPC_API mpc_status mpc_process_children(int32_t* pids, size_t capacity, size_t* out_count);

/**
 * Tells the pid of the process that started this one.
 *
 * Python: multiprocessing.parent_process().pid.
 *
 * @param out_pid  Receives it, also where that process has ended since. See
 *                 mpc_process_parent_is_alive() before you send a signal to it.
 * @return MPC_OK.
 *         MPC_ESTATE  This library did not start this process. (Python: parent_process() is None.)
 *
 * Blocks: never. Threads: any. Since: 0.1.
 */
MPC_API mpc_status mpc_process_parent_pid(int32_t* out_pid);

/**
 * Copies the name that the process that started this one had then.
 *
 * Python: multiprocessing.parent_process().name.
 *
 * @param buffer    Receives the text, ended by a NUL, cut where it does not fit.
 * @param capacity  Size of `buffer` in bytes; 64 is always enough.
 * @return MPC_OK; MPC_ESTATE as of mpc_process_parent_pid().
 *
 * Blocks: never. Threads: any. Since: 0.1.
 */
MPC_API mpc_status mpc_process_parent_name(char* buffer, size_t capacity);

/**
 * Tells whether the process that started this one runs. Its pid in other hands is no life.
 *
 * Python: multiprocessing.parent_process().is_alive().
 *
 * @param out_alive  Receives 1 or 0. A process stopped by a signal is alive.
 * @return MPC_OK; MPC_ESTATE as of mpc_process_parent_pid().
 *
 * Blocks: never. Threads: any. Since: 0.1.
 */
MPC_API mpc_status mpc_process_parent_is_alive(int* out_alive);

/**
 * Waits until the process that started this one has ended.
 *
 * Of use to a detached process: any other is killed at that moment.
 *
 * Python: multiprocessing.parent_process().join(timeout).
 *
 * @param timeout_ns  0 polls, MPC_FOREVER waits without limit.
 * @return MPC_OK         It has ended.
 *         MPC_ETIMEDOUT  It still runs.
 *         MPC_ESTATE     As of mpc_process_parent_pid().
 *
 * Blocks: up to `timeout_ns`; goes on after signals. Threads: any. Since: 0.1.
 */
MPC_API mpc_status mpc_process_parent_join(int64_t timeout_ns);

/**
 * Describes the process that started this one, such as
 * `<ParentProcess name='MainProcess' pid=11 started>`; `stopped` where it has ended.
 *
 * Python: repr(multiprocessing.parent_process()).
 *
 * @param buffer    Receives the text, ended by a NUL, cut where it does not fit.
 * @param capacity  Size of `buffer` in bytes; 160 is always enough.
 * @return MPC_OK; MPC_ESTATE as of mpc_process_parent_pid().
 *
 * Blocks: never. Threads: any. Since: 0.1.
 */
MPC_API mpc_status mpc_process_parent_describe(char* buffer, size_t capacity);

/** Most bytes that an authentication key can have. */
#define MPC_AUTHKEY_MAX 64

/**
 * Copies the key by which the processes of one tree can prove to each other that they belong
 * together: 32 random bytes that the first process makes and that each child gets when it starts.
 *
 * It lies in each process's own memory, not in the group's. Wipe your copy when you are done.
 *
 * Python: multiprocessing.current_process().authkey.
 *
 * @param buffer    Receives the key; nothing where it does not fit.
 * @param capacity  Size of `buffer` in bytes; MPC_AUTHKEY_MAX is always enough.
 * @param out_size  Receives the size of the key in bytes.
 * @return MPC_OK
 *         MPC_EINVAL   `capacity` is less than the key's size.
 *         MPC_ESYSTEM  The kernel gives no random bytes.
 *
 * Blocks: never. Threads: any. Since: 0.1.
 */
MPC_API MPC_NODISCARD mpc_status mpc_authkey_get(void* buffer, size_t capacity, size_t* out_size);

/**
 * Replaces the key of this process and of those that it starts from now on.
 *
 * Python: multiprocessing.current_process().authkey = key.
 *
 * @param bytes  Copied; may be wiped when the call returns.
 * @param size   1 to MPC_AUTHKEY_MAX.
 * @return MPC_OK, or MPC_EINVAL for another size.
 *
 * Blocks: never. Threads: any. Since: 0.1.
 */
MPC_API MPC_NODISCARD mpc_status mpc_authkey_set(const void* bytes, size_t size);

/**
 * What is to be done when this process exits. Called once, on the thread that exits; no lock of the
 * library is held, and it may call anything in the library. It must not call exit(), throw or
 * longjmp out.
 */
typedef void (*mpc_finalizer_fn)(void* user_data);

/** A finalizer that can be taken back. */
typedef struct mpc_finalizer mpc_finalizer;

/**
 * Has a function called when this process exits: when it returns from main(), calls exit(), or
 * returns from the function that it was started with. Not where it calls _exit() or is killed.
 *
 * First come those with a `priority` of 0 and more, then the daemons among the children are
 * terminated and the other children joined, then come the rest. A higher priority comes first, and
 * within one priority what was added last. The program's atexit() functions run before all of them.
 * What a finalizer of the first part adds runs in the second; what one of the second adds does not
 * run.
 *
 * They belong to the process that added them: no child runs them, however it was made.
 *
 * Python: multiprocessing.util.Finalize(None, function, exitpriority=...).
 *
 * @param function       Must still be loaded at the end of the process.
 * @param user_data      Handed to `function`.
 * @param priority       See above.
 * @param out_finalizer  Receives a handle, which mpc_finalizer_cancel() takes back. NULL: it will
 *                       not be taken back.
 * @return MPC_OK.
 *
 * Blocks: never. Threads: any. Since: 0.1.
 */
MPC_API MPC_NODISCARD mpc_status mpc_finalizer_add(mpc_finalizer_fn function, void* user_data,
                                                   int priority, mpc_finalizer** out_finalizer);

/**
 * Takes a finalizer back: it is not called. The handle is used up, whatever the answer.
 *
 * Python: Finalize.cancel().
 *
 * @param finalizer  NULL is fine.
 * @return MPC_OK
 *         MPC_ESTATE  It was called, or is being called now on another thread.
 *         MPC_ECHILD  Another process added it (before a fork); here it would not be called.
 *         MPC_EINVAL  A handle that is used up.
 *
 * Blocks: never. Threads: any. Since: 0.1.
 */
MPC_API mpc_status mpc_finalizer_cancel(mpc_finalizer* finalizer);

#ifdef __cplusplus
}
#endif

#endif
