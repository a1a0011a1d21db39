/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * The server behind the start method `forkserver`, and what it has ready for its children.
 *
 * The server is a fresh image of the program (or of mpc-worker, for functions of shared libraries)
 * with one thread, which forks a child at each start. It is made at the first start. All processes
 * of a tree use the same one where they would make the same: for the same image, with the same
 * preload and the same rights. Rights are user and group ids, supplementary groups, capabilities,
 * no_new_privs, whether a seccomp filter is on, the root folder and the mount namespace: a process
 * that has changed one of those has another server made, and its children have what it has. Who
 * changes its other namespaces, its control group or its security label, or sets a further filter,
 * starts by `fork` or `spawn` from then on, for a server does not see that.
 *
 * It lives as long as the first process of the tree, ignores SIGINT, and is made again where it was
 * killed, or stopped and does nothing for two seconds. Its children go on without it. Requests are
 * heard only from processes of the same user that know a key of 32 random bytes, which is in group
 * memory.
 *
 * What takes long to load or to compute is best done once, in the server:
 *
 * @code
 * static double table[1 << 20];
 * static int fill_table(void) {
 *   for (size_t i = 0; i < 1 << 20; ++i) table[i] = sqrt((double)i);
 *   return 0;
 * }
 *
 * mpc_preload_options preload = MPC_PRELOAD_OPTIONS_INIT;
 * preload.init = fill_table;
 * if (mpc_forkserver_preload_set(&preload) < 0) return 1;    // then each child has the table
 * @endcode
 */
#ifndef LIBMPC_FORKSERVER_H
#define LIBMPC_FORKSERVER_H

#include <mpc/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What becomes of a start where the preload fails. */
typedef enum mpc_preload_errors {
  MPC_PRELOAD_IGNORE = 0, /**< It goes on. */
  MPC_PRELOAD_WARN = 1,   /**< It goes on; who had the server made logs a warning (mpc/log.h). */
  MPC_PRELOAD_FAIL = 2    /**< It fails with MPC_EFUNCTION and a message that says what failed. */
} mpc_preload_errors;

/** Runs in the server; anything but 0 is a failure. */
typedef int (*mpc_preload_fn)(void);

/** What a fork server does before its first fork. */
typedef struct mpc_preload_options {
  size_t struct_size; /**< sizeof(mpc_preload_options); MPC_PRELOAD_OPTIONS_INIT sets it. */
  /**
   * Shared libraries, loaded in this order as by dlopen(RTLD_NOW | RTLD_LOCAL): a path, or a name
   * that the loader looks for. NULL where `library_count` is 0. Copied.
   */
  const char* const* libraries;
  size_t library_count;
  /**
   * Called after that; NULL: none. Named to the server as a child's function is (mpc/function.h).
   * A function of the program exists in servers of the program's image only: for functions of
   * shared libraries, which mpc-worker runs, have it in a library as well.
   */
  mpc_preload_fn init;
  uint32_t on_error; /**< An mpc_preload_errors. */
  uint32_t reserved; /**< 0. */
  /** How long all of it may take until it counts as failed; 0: 30 seconds; MPC_FOREVER: any. */
  int64_t timeout_ns;
} mpc_preload_options;

#define MPC_PRELOAD_OPTIONS_INIT \
  { sizeof(mpc_preload_options), 0, 0, 0, MPC_PRELOAD_IGNORE, 0, 0 }

/**
 * Chooses what fork servers load and run before they fork, in this process and in those that it
 * starts from now on.
 *
 * What it does to memory, each child begins with a copy of: loaded libraries, globals, the heap.
 * Nothing else of it reaches the children: descriptors that it leaves open are closed, text that it
 * did not write yet is written, handlers and timers are taken back; folder, environment, umask,
 * signal mask, limits, affinity and priority of a child are those of who starts it. Calls of this
 * library that need a group are answered MPC_EBOOTSTRAP there, so it makes no pool and starts no
 * process.
 *
 * What fails is noted and the rest is done, unless `on_error` is MPC_PRELOAD_FAIL: then it ends
 * there. A server that ends, crashes or hangs over it, is left with further threads (which no fork
 * would copy), or with other rights, is given up. With MPC_PRELOAD_IGNORE and MPC_PRELOAD_WARN
 * another is made that preloads nothing; with MPC_PRELOAD_FAIL the start fails, and the next one
 * tries again.
 *
 * Takes effect at the next start by `forkserver`: a server with another preload is not used any
 * more. A server that was killed is made again and does all of it again.
 *
 * Python: multiprocessing.set_forkserver_preload(module_names, on_error=...), which is to be called
 * before the first start and looks for a module of the program's own as well.
 *
 * @param options  NULL: nothing, as at the beginning.
 * @return MPC_OK
 *         MPC_EINVAL     A library that is NULL or "", an `on_error` that is none.
 *         MPC_EFUNCTION  `init` has no name that another image knows it by; the message says what
 *                        to do.
 *         MPC_E2BIG      The struct is of a newer version and sets something unknown here.
 *
 * Blocks: never. Threads: any. Since: 0.1.
 */
MPC_API MPC_NODISCARD mpc_status mpc_forkserver_preload_set(const mpc_preload_options* options);

#ifdef __cplusplus
}
#endif

#endif
