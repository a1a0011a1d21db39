/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * The group: processes that share memory, and the memory that they share.
 *
 * A group is a tree of processes: the first one that uses the library, and all that descend from
 * it through the library. It comes into being at the first call that needs it; most programs never
 * name it. A child of the program's own fork() becomes a new participant at its first call. A
 * program that is no descendant can join through a socket, if a participant listens at one.
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
 * Ends this process's part in the group and gives back its mapping, descriptors and threads.
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
 * Lets other programs of the same user join the group: listens at a Unix socket until
 * mpc_group_unlisten() or the end of this process. Nobody listens unless this is called.
 *
 * Any participant may do it, each at one path. Those who join by mpc_group_join_path() are known by
 * the kernel's word to have the effective user id that this process has now; all others are hung up
 * on. A child, forked or started, does not listen on its parent's behalf. The program has nothing
 * to do for those who come: a kernel thread of the library's own answers them, holding socket and
 * memory in a descriptor table that no code of the program reaches.
 *
 * When the process exits in good order the path is removed before finalizers of a lower priority
 * than 0 run, and is left alone if it is another's by then. One that was killed leaves it, and the
 * next who listens there replaces it. Nothing else at the path is ever removed.
 *
 * @param path  Of the socket, at most 107 bytes; its folder must exist. Rights are the user's
 * alone.
 *              "@name" is an abstract socket, which is in no folder.
 * @return MPC_OK         Who knows the path can join from now on.
 *         MPC_ESTATE     This process listens already, or at the path there is something else:
 *                        somebody who listens, another user's socket, a file that is no socket.
 *         MPC_ESYSTEM    The kernel refused: the folder is missing or may not be written to, or
 *                        nobody has a descriptor of the memory; the message tells.
 *         MPC_ETIMEDOUT  For a second somebody held the lock (flock) of the folder, which who
 *                        begins to listen takes for a moment.
 *
 * Blocks: at most a second. Threads: any. Fork: see above. Since: 0.1.
 */
MPC_API MPC_NODISCARD mpc_status mpc_group_listen(const char* path);

/**
 * Stops listening and removes the path. Those who have joined stay.
 *
 * @return MPC_OK       Nobody can join through this process any more; also where it did not listen.
 *         MPC_ESYSTEM  The kernel had no socket to spare; the path is gone all the same.
 *
 * Blocks: never. Threads: any. Since: 0.1.
 */
MPC_API mpc_status mpc_group_unlisten(void);

/**
 * Makes this process a participant of the group of another program, which listens at a path.
 *
 * It must not belong to a group yet, so this comes before all other calls but the configuration,
 * which does not apply. From then on it is a participant like any other: it attaches what refs it
 * is told, which are plain bytes (in a file, a pipe, an argument), starts children of its own, and
 * leaves by mpc_group_leave(). It has no parent, an authkey of its own, and lives on when the
 * others end; so does the memory. What it leaves when it is killed, others sweep.
 *
 * @param path        As given to mpc_group_listen().
 * @param timeout_ns  For the answer of who listens; nobody is waited for who does not listen yet.
 * @return MPC_OK             This process is a participant.
 *         MPC_ESTATE         It belongs to a group already: leave that first by mpc_group_leave().
 *         MPC_ECLOSED        Nobody listens: no such path, or nobody behind it, or it ended.
 *         MPC_ETIMEDOUT      Who listens did not answer; it may be stopped. Try again.
 *         MPC_EGROUP         Who listens is of another user, or is no group of libmpc.
 *         MPC_ELAYOUT        It is of a version with another memory layout.
 *         MPC_ENOTSUP        It is in another pid namespace.
 *         MPC_EPARTICIPANTS  4,096 processes are in the group already.
 *         MPC_ESYSTEM        The kernel refused; also where the address of the group's memory is
 *                            not free in this process, or RLIMIT_AS has no room for it.
 *
 * Unless it is MPC_OK, this process is as it was. Blocks: up to `timeout_ns`. Threads: any.
 * Since: 0.1.
 */
MPC_API MPC_NODISCARD mpc_status mpc_group_join_path(const char* path, int64_t timeout_ns);

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
