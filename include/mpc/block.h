/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * A block: shared bytes with a life of their own, reached by a ref from anywhere in the group.
 *
 * Use it for data that several processes hold and that must go when the last of them does. For
 * memory that one process owns, mpc_group_alloc() is enough.
 *
 * An object lives while somebody is attached to it. mpc_block_detach() is the everyday call: it
 * ends this process's part. mpc_block_destroy() ends the object for all; others find their handle
 * stale, and their address stays readable until they detach.
 *
 * @code
 * mpc_block *block;
 * mpc_ref ref;
 * if (mpc_block_create(1 << 20, &block) < 0 || mpc_block_ref(block, &ref) < 0) return 1;
 * // ... pass `ref` to a process; there:
 * mpc_block_attach(&ref, &block);
 * use(mpc_block_address(block), mpc_block_size(block));
 * mpc_block_detach(block);
 * @endcode
 */
#ifndef LIBMPC_BLOCK_H
#define LIBMPC_BLOCK_H

#include <mpc/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A handle on shared bytes. */
typedef struct mpc_block mpc_block;

/**
 * Makes a block of shared bytes, zeroed, with this process attached to it.
 *
 * @param size       In bytes, more than 0.
 * @param out_block  Receives the handle; mpc_block_detach() or mpc_block_destroy() ends it.
 * @return MPC_OK, or MPC_EEXHAUSTED where group memory has reached its limit.
 *
 * Commits: the store that makes the object live. Blocks: never. Threads: any. Since: 0.1.
 */
MPC_API MPC_NODISCARD mpc_status mpc_block_create(size_t size, mpc_block** out_block);

/**
 * Attaches this process to the block that a ref names.
 *
 * @param ref        From mpc_block_ref() of any participant.
 * @param out_block  Receives a handle of its own.
 * @return MPC_OK      Attached: the block lives at least until the handle is detached.
 *         MPC_ESTALE  The block has ended.
 *         MPC_EGROUP  The ref is of another group.
 *         MPC_EINVAL  The ref names something else, or nothing.
 *
 * Commits: one compare-and-swap that writes this process's owner word among the holders.
 * Blocks: never. Threads: any. Since: 0.1.
 */
MPC_API MPC_NODISCARD mpc_status mpc_block_attach(const mpc_ref* ref, mpc_block** out_block);

/**
 * Where the bytes are: the same address in every participant, aligned to 64 bytes.
 *
 * Blocks: never. Threads: any. Since: 0.1.
 * @return The address; it is good until this process's last handle on the block is detached. NULL
 *         for a handle that is used up.
 */
MPC_API void* mpc_block_address(mpc_block* block);

/**
 * How many bytes were asked for when the block was made; 0 for a handle that is used up.
 *
 * Blocks: never. Threads: any. Since: 0.1.
 */
MPC_API size_t mpc_block_size(mpc_block* block);

/**
 * Tells the ref by which others attach.
 *
 * @return MPC_OK, or MPC_ESTALE where the block was destroyed.
 *
 * Blocks: never. Threads: any. Since: 0.1.
 */
MPC_API MPC_NODISCARD mpc_status mpc_block_ref(mpc_block* block, mpc_ref* out_ref);

/**
 * Ends this handle; the block lives on while others are attached.
 *
 * @param block  NULL is fine.
 * @return MPC_OK, or MPC_EINVAL for a handle that is used up.
 *
 * Commits: one compare-and-swap that takes this process's owner word out of the holders (at its
 * last handle). Blocks: never. Threads: any. Since: 0.1.
 */
MPC_API mpc_status mpc_block_detach(mpc_block* block);

/**
 * Ends the block for all, and this handle.
 *
 * Others' handles answer MPC_ESTALE from now on; the memory is reused when they have let go.
 *
 * @param block  NULL is fine.
 * @return MPC_OK      Nobody can attach any more (also where another had destroyed it already).
 *         MPC_EINVAL  The handle is used up.
 *
 * Commits: one compare-and-swap on the object's state. Blocks: never. Threads: any. Since: 0.1.
 */
MPC_API mpc_status mpc_block_destroy(mpc_block* block);

#ifdef __cplusplus
}
#endif

#endif
