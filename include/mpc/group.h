/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * The group: processes that share memory, and the memory that they share.
 *
 * A group is a tree of processes: the first one that uses the library, and all that descend from
 * it through the library. It comes into being at the first call that needs it; most programs never
 * name it. A child of the program's own fork() becomes a new participant at its first call.
 *
 * Group memory is one anonymous, sealed memory file: it has no name, nothing of it is left when
 * every participant is gone (killed or not), and the limits of /dev/shm do not apply to it. It is
 * mapped at the same address in every participant, so a pointer into it means the same everywhere.
 *
 * @code
 * void *table;
 * if (mpc_group_alloc(4096, &table) < 0) return 1;   // private: goes when this process dies
 * fill(table);
 * mpc_group_publish(table);                          // the group's: stays until it is freed
 * @endcode
 */
#ifndef LIBMPC_GROUP_H
#define LIBMPC_GROUP_H

#include <mpc/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What can be chosen before the group comes into being. All zero is the default. */
typedef struct mpc_group_options {
  size_t struct_size; /**< sizeof(mpc_group_options); set by MPC_GROUP_OPTIONS_INIT. */
  /** Address space to take, in bytes; 0: 256 GiB, halved until it fits. No memory until used. */
  uint64_t address_space;
  /** Most memory that the group may use, in bytes; 0: half of the least of RAM and the memory
      limit of the cgroup. What goes beyond it is answered with MPC_EEXHAUSTED. */
  uint64_t memory_limit;
} mpc_group_options;

#define MPC_GROUP_OPTIONS_INIT \
  { sizeof(mpc_group_options), 0, 0 }

/** Figures of the group at one instant. */
typedef struct mpc_group_stats {
  size_t struct_size;     /**< sizeof(mpc_group_stats), set by the caller. */
  uint64_t id;            /**< The number that refs of this group carry. */
  uint64_t address;       /**< Where group memory is mapped in this process. */
  uint64_t address_space; /**< Size of the mapping in bytes. */
  uint64_t memory_limit;  /**< Most bytes that may be in use. */
  uint64_t memory_used;   /**< Bytes taken from the limit now, in steps of 1 MiB. */
  uint64_t blocks;        /**< Blocks that are allocated now, by anybody: those that the library has
                               for itself included, as one a fork server and one a child that did
                               not begin as a copy of its parent. */
  uint64_t bytes;         /**< Bytes in those blocks. */
  uint64_t own_bytes;     /**< Bytes of those that are private to the calling process. */
  uint64_t objects;       /**< Shared objects that exist now. */
  uint64_t participants;  /**< Processes in the group, this one included; one that was just started
                               counts from its first steps on. The library's own, such as a fork
                               server, do not count, though each takes one of the 4,096 places. */
  uint64_t starts;        /**< Processes that have ever joined, the library's own included. */
  uint64_t deaths;        /**< Processes whose leavings were swept up, likewise. */
} mpc_group_stats;

/** For FFI and C alike: all zero but the size. */
#define MPC_GROUP_STATS_INIT \
  { sizeof(mpc_group_stats), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }

/**
 * Chooses the options of the group, before anything has used it.
 *
 * @param options  Copied. NULL asks for the defaults.
 * @return MPC_OK      They hold from the first use on.
 *         MPC_ESTATE  This process already belongs to a group.
 *         MPC_E2BIG   The struct is of a newer version and sets something unknown here.
 *
 * Blocks: never. Threads: any. Fork: a child of fork() before first use keeps them. Since: 0.1.
 */
MPC_API MPC_NODISCARD mpc_status mpc_group_configure(const mpc_group_options* options);

/**
 * Makes this process a participant now, rather than at its first call that needs it.
 *
 * A process that is one already is left as it is. After fork() by the program itself the child
 * joins as a participant of its own; handles that it inherited are attached then, and what no
 * longer exists by that time answers MPC_ESTALE.
 *
 * @return MPC_OK             This process is a participant.
 *         MPC_ESYSTEM        The kernel gave no memory file or no address space.
 *         MPC_EPARTICIPANTS  4,096 processes are in the group already, fork servers included.
 *
 * Blocks: never. Threads: any. Since: 0.1.
 */
MPC_API MPC_NODISCARD mpc_status mpc_group_join(void);

/**
 * Ends this process's part in the group and gives back its mapping, descriptors and thread.
 *
 * What is private to this process is freed. The library is then as unused; the next call that
 * needs a group makes a new one.
 *
 * @return MPC_OK      It was done, or there was nothing to do.
 *         MPC_ESTATE  Handles are still open in this process, or a child that it started through
 *                     the library is still running; the message says how many.
 *
 * Blocks: never. Threads: no other thread may be inside a call. Since: 0.1.
 */
MPC_API MPC_NODISCARD mpc_status mpc_group_leave(void);

/**
 * Allocates a block of group memory, private to this process until it is published.
 *
 * A private block is freed when this process dies. Its contents are undefined. The pointer is
 * aligned to 64 bytes and is the same in every participant.
 *
 * @param size         In bytes, more than 0.
 * @param out_address  Receives the block.
 * @return MPC_OK          Free it with mpc_group_free().
 *         MPC_EEXHAUSTED  The limit of group memory is reached; everything else still works.
 *
 * Commits: one compare-and-swap that writes this process's owner word into the block's word (for
 * more than 512 KiB: into the first of its regions' words).
 * Blocks: never. Threads: any. Since: 0.1.
 */
MPC_API MPC_NODISCARD mpc_status mpc_group_alloc(size_t size, void** out_address);

/**
 * Gives a private block to the group: it stays when this process dies, until somebody frees it.
 *
 * @param address  From mpc_group_alloc() of this process.
 * @return MPC_OK      It is the group's.
 *         MPC_EINVAL  Not a private block of this process.
 *
 * Commits: one compare-and-swap on the block's word. Blocks: never. Threads: any. Since: 0.1.
 */
MPC_API MPC_NODISCARD mpc_status mpc_group_publish(void* address);

/**
 * Frees a block that is private to this process, or that is the group's.
 *
 * @param address  NULL is fine.
 * @return MPC_OK      The block is free.
 *         MPC_EINVAL  Not an allocated block, or private to another process.
 *
 * Commits: one compare-and-swap on the block's word. Blocks: never. Threads: any. Since: 0.1.
 */
MPC_API mpc_status mpc_group_free(void* address);

/**
 * Looks for participants that died, and sweeps up what they left.
 *
 * Every waiting call does this by itself for those it waits for; this is for a program that wants
 * the memory of the dead back now.
 *
 * @param out_swept  Receives how many were swept; NULL is fine.
 * @return MPC_OK.
 *
 * Blocks: never. Threads: any. Since: 0.1.
 */
MPC_API mpc_status mpc_group_sweep(uint32_t* out_swept);

/**
 * Tells the figures of the group.
 *
 * @param stats  `struct_size` set by the caller; as many bytes as it says are filled.
 * @return MPC_OK, or MPC_EINVAL where `struct_size` is 0 or too small.
 *
 * Blocks: never. Threads: any. Since: 0.1.
 */
MPC_API mpc_status mpc_group_stats_get(mpc_group_stats* stats);

#ifdef __cplusplus
}
#endif

#endif
