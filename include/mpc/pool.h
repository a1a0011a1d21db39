/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * The pool: worker processes that share out the items of an array.
 *
 * @code
 * static int square(const void *item, void *result) {
 *   int n = *(const int *)item;
 *   *(int *)result = n * n;
 *   return 0;
 * }
 *
 * mpc_pool *pool;
 * if (mpc_pool_create(NULL, &pool) < 0) return 1;
 * if (mpc_pool_map(pool, square, items, 10, sizeof(int), results, sizeof(int), NULL) < 0) return 1;
 * mpc_pool_destroy(pool);
 * @endcode
 *
 * A worker that dies costs the item that it had in its hands and no other: that item fails with
 * MPC_EWORKER_LOST, the worker is replaced, the rest goes on. Workers ignore SIGINT, are daemons,
 * and are named "PoolWorker-1", "PoolWorker-2", ...; they end when the pool's owner dies.
 *
 * Workers are started at the first map. Under `fork` they have a copy of the memory of the process
 * as it is then; under the other start methods, of which one is the default, its globals mean
 * nothing to them (see mpc/process.h): what a function needs is in its items or in group memory. A
 * function that was loaded later, or generated where `fork` is chosen, is run by workers started
 * anew for it.
 *
 * No thread is made: the thread that calls map hands out the work and takes in the results. Maps
 * that several threads ask of one pool at once are served one after another.
 */
#ifndef LIBMPC_POOL_H
#define LIBMPC_POOL_H

#include <mpc/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A handle on a pool that the calling process made. */
typedef struct mpc_pool mpc_pool;

/** What can be chosen for a pool. All zero is the default. */
typedef struct mpc_pool_options {
  size_t struct_size;    /**< sizeof(mpc_pool_options); MPC_POOL_OPTIONS_INIT sets it. */
  uint32_t workers;      /**< 0: mpc_process_cpu_count(). At most 4,000. */
  uint32_t start_method; /**< An #mpc_start_method; 0: the default. */
} mpc_pool_options;

#define MPC_POOL_OPTIONS_INIT \
  { sizeof(mpc_pool_options), 0, 0 }

/**
 * What a map calls for each item. Runs in a worker, on its main thread.
 *
 * Must not throw and must not longjmp out. The item may be changed; the change goes nowhere.
 *
 * @param item    A copy of the item, aligned as in the array (to at most 64 bytes).
 * @param result  Where the result goes, aligned likewise; its contents are undefined before.
 * @return 0, or a number of your own that marks the item as failed (MPC_ETASK).
 */
typedef int (*mpc_map_fn)(const void* item, void* result);

/** Where a function of mpc_pool_map_bytes() puts its result. */
typedef struct mpc_result mpc_result;

/** As #mpc_map_fn, for items and results of any size; mpc_result_put() makes the result. */
typedef int (*mpc_map_bytes_fn)(const void* item, size_t item_size, mpc_result* result);

/** Called in the process and thread that called map, each time that more items are done. */
typedef void (*mpc_progress_fn)(size_t done, size_t count, void* user_data);

/** How one item failed. */
typedef struct mpc_item_error {
  int32_t status;    /**< An #mpc_status: MPC_OK, MPC_ETASK, MPC_EWORKER_LOST, ... */
  int32_t code;      /**< MPC_ETASK: what the function returned. Else 0. */
  int32_t worker;    /**< Which: N of "PoolWorker-N". 0 where it did not fail. */
  int32_t pid;       /**< MPC_EWORKER_LOST: the worker's process id. Else 0. */
  int32_t exit_code; /**< MPC_EWORKER_LOST: as in mpc_process_exit_code(). Else 0. */
  int32_t reserved;  /**< 0. */
} mpc_item_error;

/** What can be chosen for a map. All zero is the default. */
typedef struct mpc_map_options {
  size_t struct_size;       /**< sizeof(mpc_map_options); MPC_MAP_OPTIONS_INIT sets it. */
  size_t chunk_size;        /**< Items handed to a worker at once; 0: count / (4 x workers),
                                 rounded up, as in Python. A chunk of more than 128 KiB travels in
                                 pieces, which may run in different workers. */
  mpc_item_error* errors;   /**< Array of `count`, written for every item; NULL: not wanted. */
  mpc_progress_fn progress; /**< NULL: not wanted. */
  void* user_data;          /**< Handed to `progress`. */
} mpc_map_options;

#define MPC_MAP_OPTIONS_INIT \
  { sizeof(mpc_map_options), 0, NULL, NULL, NULL }

/**
 * Makes a pool. Its workers are started by the first map.
 *
 * Python: Pool(processes).
 *
 * @param options   NULL asks for the defaults.
 * @param out_pool  Receives the handle; mpc_pool_destroy() takes it back.
 * @return MPC_OK
 *         MPC_EINVAL  Too many workers, or an unknown start method.
 *         MPC_E2BIG   The options are of a newer version and set something unknown here.
 *
 * Blocks: never. Threads: any. Since: 0.1.
 */
MPC_API MPC_NODISCARD mpc_status mpc_pool_create(const mpc_pool_options* options,
                                                 mpc_pool** out_pool);

/**
 * Calls a function for each item of an array, in the workers, and fills an array of results.
 *
 * Reads like qsort(). All items are tried, also after one has failed; results of items that
 * failed are left as they were. What has happened is told in four ways: (1) the map could not be
 * done at all (any other failure: `results` is undefined); (2) MPC_ETASK: the function returned
 * other than 0 for an item; (3) MPC_EWORKER_LOST: a worker died in the hands of an item; (4)
 * MPC_OK. For (2) and (3) the status and the message are those of the first such item in order;
 * `errors` of the options has them all.
 *
 * Python: Pool.map(function, items, chunksize).
 *
 * @param function     Reachable in a worker: any function of this program and its libraries.
 * @param items        `count` items of `item_size` bytes each. Not changed.
 * @param count        0 does nothing and succeeds.
 * @param item_size    In bytes; may be 0, then `items` may be NULL.
 * @param results      Room for `count` results of `result_size` bytes each.
 * @param result_size  In bytes; may be 0, then `results` may be NULL.
 * @param options      NULL asks for the defaults.
 * @return MPC_OK            Every item succeeded.
 *         MPC_ETASK         See above.
 *         MPC_EWORKER_LOST  See above; also where workers die again and again before they take
 *                           any work.
 *         MPC_ECLOSED       The pool was closed.
 *         MPC_ETERMINATED   The pool was terminated, perhaps during this call.
 *         MPC_ECHILD        Another process made the pool.
 *
 * Commits, item by item: the worker's store that counts the item as done; until then the item is
 * in that worker's hands.
 * Blocks: until all items are done. Threads: any; one map of a pool at a time. Since: 0.1.
 */
MPC_API MPC_NODISCARD mpc_status mpc_pool_map(mpc_pool* pool, mpc_map_fn function,
                                              const void* items, size_t count, size_t item_size,
                                              void* results, size_t result_size,
                                              const mpc_map_options* options);

/**
 * As mpc_pool_map(), for items and results of any size.
 *
 * @param items    `count` items. Not changed.
 * @param results  Array of `count`. Each that succeeded is written (an empty one where the
 *                 function put nothing) and belongs to the caller: mpc_buffer_free(). The others
 *                 are made empty.
 *
 * Everything else as there. Since: 0.1.
 */
MPC_API MPC_NODISCARD mpc_status mpc_pool_map_bytes(mpc_pool* pool, mpc_map_bytes_fn function,
                                                    const mpc_bytes* items, size_t count,
                                                    mpc_buffer* results,
                                                    const mpc_map_options* options);

/**
 * Puts bytes at the end of the result of the item that is being worked on.
 *
 * @param result  What the function was given.
 * @param data    Copied.
 * @param size    In bytes.
 * @return MPC_OK; MPC_EEXHAUSTED where group memory has reached its limit.
 *
 * Blocks: never. Threads: the one that runs the function. Since: 0.1.
 */
MPC_API MPC_NODISCARD mpc_status mpc_result_put(mpc_result* result, const void* data, size_t size);

/**
 * Tells how many workers the pool was made for.
 *
 * Blocks: never. Threads: any. Since: 0.1.
 */
MPC_API mpc_status mpc_pool_worker_count(mpc_pool* pool, uint32_t* out_count);

/**
 * Says that no more work will come; the workers end when what was asked for is done.
 *
 * Python: Pool.close().
 * @return MPC_OK, also where it was closed before; MPC_ECHILD where another process made it.
 *
 * Blocks: never. Threads: any. Since: 0.1.
 */
MPC_API mpc_status mpc_pool_close(mpc_pool* pool);

/**
 * Stops at once: a map that is going on answers MPC_ETERMINATED, and the workers are ended.
 *
 * Workers are sent SIGTERM, and SIGKILL where they have not gone after a second.
 *
 * Python: Pool.terminate().
 * @return MPC_OK, also where it was terminated before; MPC_ECHILD where another process made it.
 *
 * Blocks: until the workers are gone, about a second at most. Threads: any. Since: 0.1.
 */
MPC_API mpc_status mpc_pool_terminate(mpc_pool* pool);

/**
 * Waits until the workers of a closed or terminated pool are gone.
 *
 * Python: Pool.join().
 *
 * @param timeout_ns  0 polls, MPC_FOREVER waits without limit.
 * @return MPC_OK         They are gone.
 *         MPC_ETIMEDOUT  Not all of them.
 *         MPC_ESTATE     The pool was neither closed nor terminated.
 *         MPC_ECHILD     Another process made the pool.
 *
 * Blocks: up to `timeout_ns`. Threads: any. Since: 0.1.
 */
MPC_API mpc_status mpc_pool_join(mpc_pool* pool, int64_t timeout_ns);

/**
 * Terminates the pool where it still runs, and takes the handle back.
 *
 * @param pool  NULL is fine.
 * @return MPC_OK, or MPC_EINVAL for a handle that is used up.
 *
 * Blocks: as mpc_pool_terminate(); in a process that did not make the pool, never. Since: 0.1.
 */
MPC_API mpc_status mpc_pool_destroy(mpc_pool* pool);

#ifdef __cplusplus
}
#endif

#endif
