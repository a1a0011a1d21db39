/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * Programs that a process of a group starts: any executable, in any language, with its own main().
 *
 * @code
 * // The parent:
 * mpc_process_options options = MPC_PROCESS_OPTIONS_INIT;
 * const char *arguments[] = {"worker.py", NULL};
 * options.program = "python3";
 * options.arguments = arguments;
 * options.refs = &ref;
 * options.ref_count = 1;
 * mpc_process_create(NULL, &options, &process);
 *
 * // The program:
 * const mpc_ref *refs;
 * size_t count;
 * if (mpc_program_begin(NULL, NULL, &refs, &count) < 0) return 1;  // not started by such a parent
 * mpc_block_attach(&refs[0], &block);
 * @endcode
 *
 * A program that loads this library, linked to it or by dlopen(), is a member of the group from
 * then on. It has its name, its parent, the log level, the authentication key and the default start
 * method as any other child has them; its exit code is written down for its parent, and when it
 * returns from main() or calls exit() its own children are looked after, as in any other.
 *
 * A program that does not load it is started, joined and signalled like any other child, and is
 * killed when its parent dies unless it is detached. It has three descriptors that it knows nothing
 * of, the first numbers above those that it was given, and the variable LIBMPC_START.
 *
 * Only the process that was started can join, and what it becomes by exec before it has loaded the
 * library: a shell has to `exec` the program that is meant. A program that runs with other rights
 * than who started it (setuid) is no member. One that closes descriptors before it loads the
 * library is none, and is not killed with its parent.
 */
#ifndef LIBMPC_PROGRAM_H
#define LIBMPC_PROGRAM_H

#include <mpc/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Tells a program what its parent gave it, and whether it is a member of the parent's group.
 *
 * May be called again and again, or not at all: all other calls work in a program without it.
 *
 * @param out_argument  Receives the argument bytes of mpc_process_options, which live as long as
 *                      this process is in the group. NULL is fine, as for all of them.
 * @param out_size      Receives their number.
 * @param out_refs      Receives the refs, kept alive for this process until it ends, and as the
 *                      argument; attach those that you use.
 * @param out_count     Receives their number.
 * @return MPC_OK
 *         MPC_ESTATE  This process was not started as a program, or could not join, because its
 *                     parent is dead or it has closed descriptors; the message says which. Other
 *                     calls then work as in a process that nobody started. Also after a fork by
 *                     the program, and after mpc_group_leave().
 *
 * Blocks: never. Threads: any. Since: 0.1.
 */
MPC_API MPC_NODISCARD mpc_status mpc_program_begin(const void** out_argument, size_t* out_size,
                                                   const mpc_ref** out_refs, size_t* out_count);

#ifdef __cplusplus
}
#endif

#endif
