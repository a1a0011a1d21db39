/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * How processes come into being: which ways this system has, and which one is taken where nothing
 * else is said. What each of them means for a child is told in mpc/process.h.
 *
 * @code
 * mpc_start_method_set(MPC_START_SPAWN, 0);  // once, before the first process
 * @endcode
 */
#ifndef LIBMPC_START_METHOD_H
#define LIBMPC_START_METHOD_H

#include <mpc/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/** How a process comes into being. */
typedef enum mpc_start_method {
  MPC_START_DEFAULT = 0,   /**< What mpc_start_method_set() chose, or else `forkserver`. */
  MPC_START_FORK = 1,      /**< fork(): a copy of the calling thread and of the whole memory. */
  MPC_START_SPAWN = 2,     /**< A fresh image of the program, or of mpc-worker. */
  MPC_START_FORKSERVER = 3 /**< A fork of a server that is a fresh image and has one thread. */
} mpc_start_method;

/**
 * Chooses the default start method of this process and of those that it starts.
 *
 * Python: multiprocessing.set_start_method(method, force).
 *
 * @param method  MPC_START_DEFAULT with `force` goes back to "not chosen".
 * @param force   Not 0: also where it was chosen before.
 * @return MPC_OK      It is the default now.
 *         MPC_ESTATE  It was chosen before, here or by being asked for.
 *         MPC_EINVAL  No such method.
 *
 * Blocks: never. Threads: any. Since: 0.1.
 */
MPC_API MPC_NODISCARD mpc_status mpc_start_method_set(mpc_start_method method, int force);

/**
 * Tells the default start method.
 *
 * Python: multiprocessing.get_start_method(allow_none).
 *
 * @param allow_none  0: where none was chosen the library's default is chosen now, for good.
 *                    Not 0: MPC_START_DEFAULT is told where none was chosen.
 *
 * Blocks: never. Threads: any. Since: 0.1.
 */
MPC_API mpc_status mpc_start_method_get(int allow_none, mpc_start_method* out_method);

/**
 * Lists the start methods that this system has, the default one first.
 *
 * Python: multiprocessing.get_all_start_methods().
 *
 * @param methods    Receives up to `capacity` of them; NULL where `capacity` is 0.
 * @return How many there are.
 *
 * Blocks: never. Threads: any. Since: 0.1.
 */
MPC_API size_t mpc_start_method_list(mpc_start_method* methods, size_t capacity);

/**
 * The name of a start method, as in Python: "fork", "spawn", "forkserver".
 *
 * Blocks: never. Threads: any. Async-signal-safe. Since: 0.1.
 * @return A string that lives as long as the library; NULL for a number that is no method.
 */
MPC_API const char* mpc_start_method_name(mpc_start_method method);

#ifdef __cplusplus
}
#endif

#endif
