/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * What every other header needs: export marks, version, time, buffers and refs.
 *
 * Rules that hold for the whole library:
 *
 * - Every function that can fail returns an #mpc_status; `status < 0` is failure. Answers come
 *   through `out_` parameters, which are written only when the status is not a failure.
 * - Pointers passed in are borrowed for the call. Memory handed out is the caller's; the function
 *   that hands it out names the one that takes it back.
 * - Handles are opaque values, not addresses: a used-up or invented one is answered with
 *   MPC_EINVAL and is never dereferenced.
 * - Any number of threads may call any function at once. No function is async-signal-safe unless
 *   its text says so. Deferred cancellation (`pthread_cancel`) is held off inside every call.
 *   Asynchronous cancellation must be off, as for nearly all functions of the C library.
 * - Handlers of pthread_atfork() that were registered after the library was loaded may call it, but
 *   for what starts, joins or maps; in a child, after the program's own fork alone.
 * - `errno`, the signal mask and dispositions, the locale and the working directory are as they
 *   were when a call returns.
 */
#ifndef LIBMPC_BASE_H
#define LIBMPC_BASE_H

#include <stddef.h>
#include <stdint.h>

#include <mpc/version.h>

#if defined(__GNUC__) || defined(__clang__)
#define MPC_API __attribute__((visibility("default")))
#define MPC_NODISCARD __attribute__((warn_unused_result))
#else
#define MPC_API
#define MPC_NODISCARD
#endif

#ifdef __cplusplus
extern "C" {
#endif

/** As a `timeout_ns`: wait without limit. Any other negative timeout polls, as 0 does. */
#define MPC_FOREVER ((int64_t)-1)
/** `n` seconds in nanoseconds. */
#define MPC_SECONDS(n) ((int64_t)(n)*1000000000)
/** `n` milliseconds in nanoseconds. */
#define MPC_MILLISECONDS(n) ((int64_t)(n)*1000000)

/** Bytes that the caller owns and lends: `size` bytes at `data`. */
typedef struct mpc_bytes {
  const void* data; /**< May be NULL where `size` is 0. */
  size_t size;      /**< In bytes. */
} mpc_bytes;

/** Bytes that the library allocated and the caller owns; mpc_buffer_free() takes them back. */
typedef struct mpc_buffer {
  void* data;  /**< NULL where `size` is 0. */
  size_t size; /**< In bytes. */
} mpc_buffer;

/**
 * Names a shared object anywhere in its group.
 *
 * A plain value: copy it, store it, send it as bytes. Sent as bytes it is weak (the object may be
 * gone when it arrives: attaching then answers MPC_ESTALE); listed beside the arguments of a
 * process it counts as a holder until the process has it. All zero is no ref.
 */
typedef struct mpc_ref {
  uint64_t group;      /**< The group that the object belongs to. */
  uint32_t kind;       /**< What it is, an #mpc_kind. */
  uint32_t place;      /**< Where it is. */
  uint32_t generation; /**< Which of the objects that have been in that place. */
  uint32_t reserved;   /**< 0. */
} mpc_ref;

/** What a ref names. */
typedef enum mpc_kind {
  MPC_KIND_NONE = 0,  /**< Nothing. */
  MPC_KIND_BLOCK = 1, /**< An mpc_block. */
  MPC_KIND_POOL = 2   /**< An mpc_pool. */
} mpc_kind;

/**
 * The version of the library that is loaded, such as "0.1.0".
 *
 * Blocks: never. Threads: any. Async-signal-safe. Since: 0.1.
 * @return A string that lives as long as the library.
 */
MPC_API const char* mpc_library_version(void);

/**
 * Gives back what a call handed out in an #mpc_buffer, and empties the buffer.
 *
 * @param buffer  NULL and an empty buffer are fine.
 *
 * Blocks: never. Threads: any, one buffer by one thread. Since: 0.1.
 */
MPC_API void mpc_buffer_free(mpc_buffer* buffer);

/**
 * Turns a timeout into a deadline on the monotonic clock, for a loop of several waits.
 *
 * @param timeout_ns  0 or any negative number but MPC_FOREVER: a deadline already past.
 * @return The deadline in nanoseconds; MPC_FOREVER for MPC_FOREVER.
 *
 * Blocks: never. Threads: any. Async-signal-safe. Since: 0.1.
 */
MPC_API int64_t mpc_deadline_after(int64_t timeout_ns);

/**
 * What is left until a deadline, to be passed on as a `timeout_ns`.
 *
 * @param deadline  From mpc_deadline_after().
 * @return Nanoseconds, 0 when it is past, MPC_FOREVER only for MPC_FOREVER.
 *
 * Blocks: never. Threads: any. Async-signal-safe. Since: 0.1.
 */
MPC_API int64_t mpc_deadline_left(int64_t deadline);

/**
 * How many CPUs this process may use: the least of its affinity and its cgroup's CPU limit,
 * never less than 1.
 *
 * Python: os.process_cpu_count(), and the cgroup besides.
 *
 * Blocks: never. Threads: any. Since: 0.1.
 */
MPC_API uint32_t mpc_process_cpu_count(void);

#ifdef __cplusplus
}
#endif

#endif
