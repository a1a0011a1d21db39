/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * Processes: give a new one a function to run, wait for it, end it.
 *
 * @code
 * static int work(const void *argument, size_t size, const mpc_ref *refs, size_t ref_count) {
 *   return 7;                                       // the exit code
 * }
 *
 * mpc_process *process;
 * int exit_code;
 * if (mpc_process_create(work, NULL, &process) < 0 || mpc_process_start(process) < 0) return 1;
 * mpc_process_join(process, MPC_FOREVER);
 * mpc_process_exit_code(process, &exit_code);       // 7; -9 if it was killed
 * mpc_process_destroy(process);
 * @endcode
 *
 * What the child has: the working directory, environment, umask, limits, CPUs, priority and signal
 * mask of its parent as they are at the start, unless an option says otherwise; signal handlers at
 * their defaults, SIGINT not ignored, and standard input at /dev/null. Under `fork` also a copy of
 * the parent's memory as it was at the start, and its open descriptors; text that the parent had in
 * its stdio buffers is not printed twice, and the child ends by _exit() when its function returns,
 * after flushing standard output and standard error: the program's atexit() functions do not run
 * twice.
 *
 * `forkserver` is the default. Under it and `spawn` the child is a fresh image: globals and plain
 * pointers of the parent mean nothing there, group memory and refs do. It is an image of the
 * program for a function of the program (static ones too), whose main() does not run, and of the
 * helper mpc-worker for one of a shared library. Constructors of the program do run, and are
 * answered MPC_EBOOTSTRAP by this library. A program whose children rely on globals that were set
 * before the start, on descriptors that they simply inherit, or on functions that are in no file,
 * such as the closures of a foreign function interface, chooses `fork`: for all that it starts with
 * mpc_start_method_set(), or in the options of a process or pool.
 *
 * The fork server is made at the first start, and ends with the process that had it made, or when
 * that one leaves the group. It is not a child of the program; where orphans come to the program,
 * which is process 1 of its namespace or a subreaper, wait() and waitpid(-1) see it as one.
 *
 * Under `program` the child is an executable that the options name, and its main() runs. Where it
 * loads this library it is a member of the group (mpc/program.h); where not, it is started, joined,
 * signalled and watched like any other child.
 *
 * The server of `forkserver` is one for the whole tree of processes (mpc/forkserver.h). A child is
 * tied to the process that started it all the same, and not to the server.
 *
 * When the parent dies, however, its children are killed (SIGKILL), unless they are detached, or
 * have closed descriptors that they did not open: one of them is the tie. When the parent returns
 * from main() or calls exit(), daemons are terminated and the others are waited for, as in Python.
 *
 * The first start in a process, and in each further network namespace that it starts children in,
 * makes one sleeping kernel thread there (no pthread: it is in no count of the C library's, runs no
 * code of the program's, and keeps no process alive). It holds what tells the children of this
 * process's death; a descriptor could be closed by the program.
 *
 * `fork` copies only the calling thread. A lock that another thread held stays held in the child:
 * a program that has threads should do no more in the child than it would after its own fork().
 */
#ifndef LIBMPC_PROCESS_H
#define LIBMPC_PROCESS_H

#include <mpc/error.h>
#include <mpc/start_method.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Where in its life a process is. */
typedef enum mpc_process_state {
  MPC_PROCESS_INITIAL = 0, /**< Made, not started. */
  MPC_PROCESS_STARTED = 1, /**< Running, or stopped by a signal. */
  MPC_PROCESS_STOPPED = 2, /**< Ended. */
  MPC_PROCESS_CLOSED = 3   /**< mpc_process_close() was called. */
} mpc_process_state;

/** A handle on a process that the calling process made. */
typedef struct mpc_process mpc_process;

/**
 * What a process runs. Called once, in the child, on its main thread.
 *
 * Must not throw and must not longjmp out; may call anything in this library. Threads that it
 * leaves running end when it returns. Where it calls pthread_exit() instead the process lives until
 * the last of them has ended, and its exit code is 0, as after such an end of main().
 *
 * @param argument       A copy of the argument bytes; lives as long as the call.
 * @param argument_size  Their number.
 * @param refs           The refs of mpc_process_options, kept alive for this process until it
 *                       ends; attach those that you use.
 * @param ref_count      Their number.
 * @return The exit code; the lowest eight bits reach the parent.
 */
typedef int (*mpc_process_fn)(const void* argument, size_t argument_size, const mpc_ref* refs,
                              size_t ref_count);

/** What a standard stream of a child is. */
typedef enum mpc_stdio_kind {
  MPC_STDIO_DEFAULT = 0,   /**< Input: as MPC_STDIO_NULL. Output and error: as MPC_STDIO_INHERIT. */
  MPC_STDIO_INHERIT = 1,   /**< The creator's own; standard input is /dev/null where it has none. */
  MPC_STDIO_NULL = 2,      /**< /dev/null. */
  MPC_STDIO_PIPE = 3,      /**< A pipe, whose other end mpc_process_pipe() gives. */
  MPC_STDIO_FILE = 4,      /**< The file `path`: read; for output created, or emptied. */
  MPC_STDIO_APPEND = 5,    /**< The file `path`: created, or written at its end. Output only. */
  MPC_STDIO_DESCRIPTOR = 6 /**< The creator's `descriptor`, which stays the creator's. */
} mpc_stdio_kind;

/** A standard stream of a child. All zero is the default. */
typedef struct mpc_stdio {
  uint32_t kind;      /**< An #mpc_stdio_kind. */
  int32_t descriptor; /**< For MPC_STDIO_DESCRIPTOR, open until the start; else 0. */
  const char* path;   /**< For a file; relative to the creator's folder at start. Else NULL. */
} mpc_stdio;

/** What a child leads. */
typedef enum mpc_process_group_kind {
  MPC_PROCESS_GROUP_INHERIT = 0, /**< Nothing: it is in its creator's process group. */
  MPC_PROCESS_GROUP_NEW = 1,     /**< A process group: signals for the creator's pass it by. */
  MPC_PROCESS_GROUP_SESSION = 2  /**< A session, without a terminal. */
} mpc_process_group_kind;

/** A limit of a child, as setrlimit() has it. */
typedef struct mpc_limit {
  uint32_t resource; /**< RLIMIT_NOFILE and so on, from sys/resource.h. */
  uint32_t reserved; /**< 0. */
  uint64_t soft;     /**< At most `hard`; RLIM_INFINITY: none. */
  uint64_t hard;     /**< May be raised only with the right to. */
} mpc_limit;

/** A descriptor that a child is given besides the standard ones. */
typedef struct mpc_descriptor {
  int32_t parent; /**< The creator's number; open until the start. It stays the creator's. */
  int32_t child;  /**< The child's number, above 2; stays open over an exec. */
} mpc_descriptor;

/**
 * What can be chosen for a process. All zero is the default.
 *
 * Everything that is pointed to is copied when the process is made. Descriptors are not: those that
 * are named have to stay open until the start. What is not chosen the child has as its creator has
 * it at the start.
 *
 * A caller from another language may leave out all from `working_directory` on, and store the size
 * of what it has.
 *
 * `program` chooses the start method `program`: `start_method` is 0 or MPC_START_PROGRAM then, and
 * no function is given. Where it has no slash it is looked for in the creator's PATH as it is at
 * the start, and it is relative to the creator's folder then. What the executable does with the
 * argument, the refs and the group is its own affair: see mpc/program.h. All other options hold for
 * any executable.
 */
typedef struct mpc_process_options {
  size_t struct_size;    /**< sizeof(mpc_process_options); MPC_PROCESS_OPTIONS_INIT sets it. */
  uint32_t start_method; /**< An #mpc_start_method; 0: the default. */
  uint32_t daemon;       /**< 1: terminated when its parent exits; 2: not; 0: as its parent is. */
  uint32_t detach;       /**< 1: lives on when its parent dies. 0: is killed then. */
  uint32_t reserved;     /**< 0. */
  const char* name;      /**< Copied; at most 63 bytes. NULL: "Process-1", "Process-1:2", ... */
  const void* argument;  /**< Copied when the process is made. */
  size_t argument_size;  /**< In bytes. */
  const mpc_ref* refs;   /**< Copied; each holds its object from start until the child ends. */
  size_t ref_count;      /**< Number of refs. */
  const char* working_directory;     /**< Relative to the creator's at start. NULL: the same. */
  const char* const* environment;    /**< The whole of it: NAME=VALUE, then NULL. NULL: the same. */
  mpc_stdio standard_input;          /**< /dev/null unless chosen. */
  mpc_stdio standard_output;         /**< The creator's unless chosen. */
  mpc_stdio standard_error;          /**< The creator's unless chosen. */
  uint32_t process_group;            /**< An #mpc_process_group_kind. */
  int32_t nice;                      /**< Added to the creator's nice value. */
  const mpc_limit* limits;           /**< At most one for each resource. */
  size_t limit_count;                /**< Number of limits. */
  const uint32_t* cpus;              /**< Numbers of the CPUs that it may run on. */
  size_t cpu_count;                  /**< How many of them; 0: as the creator. */
  const mpc_descriptor* descriptors; /**< Further ones, each number of the child's once. */
  size_t descriptor_count;           /**< How many of them. */
  const char* program;               /**< An executable to be run, and no function; see below. */
  const char* const* arguments;      /**< Its argv[1] and on, then NULL. NULL: none. */
} mpc_process_options;

#define MPC_PROCESS_OPTIONS_INIT                                                               \
  {                                                                                            \
    sizeof(mpc_process_options), 0, 0, 0, 0, NULL, NULL, 0, NULL, 0, NULL, NULL, {0, 0, NULL}, \
        {0, 0, NULL}, {0, 0, NULL}, 0, 0, NULL, 0, NULL, 0, NULL, 0, NULL, NULL                \
  }

/**
 * Makes a process; mpc_process_start() starts it.
 *
 * Python: Process(target=function, name=..., args=..., daemon=...).
 *
 * @param function     What it runs. NULL makes a process that does nothing and exits with 0, or
 *                     that runs the program of the options.
 * @param options      NULL asks for the defaults.
 * @param out_process  Receives the handle; mpc_process_destroy() takes it back.
 * @return MPC_OK
 *         MPC_EINVAL  A name that is empty or too long, an unknown start method, a NULL array, or
 *                     an option that cannot be: the message says which and what to do.
 *         MPC_E2BIG   The options are of a newer version and set something unknown here.
 *
 * Blocks: never. Threads: any. Since: 0.1.
 */
MPC_API MPC_NODISCARD mpc_status mpc_process_create(mpc_process_fn function,
                                                    const mpc_process_options* options,
                                                    mpc_process** out_process);

/**
 * Starts the process.
 *
 * Its name, its refs and the working directory, environment, umask, signal mask, limits, affinity
 * and nice value of the calling thread are taken as they are now. Children of this process that
 * have ended are reaped.
 *
 * What the options ask for is opened and looked at here where that can be done. What only the child
 * can find out (it may not raise a limit or its priority, none of the CPUs is there) ends it with
 * the exit code 255 before its function is called; the call that joins or reaps it then logs the
 * reason as a warning. Under `program` this call itself says so, and nothing is left of the child.
 *
 * @return MPC_OK             It runs. It may also be at its end already.
 *         MPC_ESTATE         It was started before, or closed.
 *         MPC_ECHILD         It was made by another process (before a fork).
 *         MPC_ESTALE         An object that one of its refs names has ended.
 *         MPC_EGROUP         One of its refs is of another group.
 *         MPC_EFUNCTION      A fresh image cannot have the function, or what is to be preloaded
 *                            (mpc/forkserver.h) failed; the message says what to do.
 *         MPC_ENOTSUP        A fresh image would run in secure mode, since the effective user or
 *                            group is not the real one, or the program's file gives more rights
 *                            (setuid, setgid, capabilities); the message says what to do. `fork`
 *                            works.
 *         MPC_EPARTICIPANTS  4,096 processes are in the group already.
 *         MPC_ESYSTEM        The kernel could not start one, or there is no such folder, file,
 *                            descriptor or program; the message says what failed and why.
 *
 * Blocks: never; under `forkserver` until the server has answered, which takes about a fork, the
 * first time about an exec and what is preloaded and, where it was stopped, two seconds.
 * Threads: any. Since: 0.1.
 */
MPC_API MPC_NODISCARD mpc_status mpc_process_start(mpc_process* process);

/**
 * Hands over this process's end of a pipe that a standard stream of the child was asked to be.
 *
 * It is the caller's from then on, to write to (0) or to read from (1 and 2), and to be closed; it
 * does not survive an exec. An end that is never asked for is closed with the handle. Under `fork`
 * children that are started while it is open hold a copy: the child's input ends when they have
 * ended as well.
 *
 * Python: subprocess.Popen.stdin, .stdout and .stderr; multiprocessing has none.
 *
 * @param which   0, 1 or 2: standard input, output or error.
 * @param out_fd  Receives the descriptor.
 * @return MPC_OK
 *         MPC_EINVAL  `which` is no standard stream.
 *         MPC_ESTATE  It was not started, is closed, the stream is no pipe, or its end was handed
 *                     over before.
 *         MPC_ECHILD  It was made by another process.
 *
 * Blocks: never. Threads: any. Since: 0.1.
 */
MPC_API MPC_NODISCARD mpc_status mpc_process_pipe(mpc_process* process, uint32_t which,
                                                  int* out_fd);

/**
 * Waits until the process has ended.
 *
 * May be called again and again. A child that something else in this process reaped (a
 * `waitpid(-1)`, SIGCHLD ignored) is noticed as well.
 *
 * Python: Process.join(timeout); there a timeout is told from the exit code.
 *
 * @param timeout_ns  0 polls, MPC_FOREVER waits without limit.
 * @return MPC_OK         It has ended.
 *         MPC_ETIMEDOUT  It is still running.
 *         MPC_ESTATE     It was not started, or it is closed.
 *         MPC_ECHILD     It was made by another process.
 *
 * Blocks: up to `timeout_ns`; goes on after signals. Threads: any. Since: 0.1.
 */
MPC_API mpc_status mpc_process_join(mpc_process* process, int64_t timeout_ns);

/**
 * Tells whether the process runs.
 *
 * @param out_alive  Receives 1 or 0. A process stopped by a signal is alive.
 * @return MPC_OK; MPC_ESTATE where it is closed; MPC_ECHILD where another process made it.
 *
 * Blocks: never. Threads: any. Since: 0.1.
 */
MPC_API mpc_status mpc_process_is_alive(mpc_process* process, int* out_alive);

/**
 * Tells how the process ended.
 *
 * @param out_exit_code  Receives 0 to 255 as the function returned it or exit() was called with;
 *                       -N where signal N killed it; 255 where it ended but something else in
 *                       this process reaped it and the kernel no longer tells.
 * @return MPC_OK      It has ended.
 *         MPC_ESTATE  It was not started, runs still, or is closed. (Python: None.)
 *         MPC_ECHILD  It was made by another process.
 *
 * Blocks: never. Threads: any. Since: 0.1.
 */
MPC_API mpc_status mpc_process_exit_code(mpc_process* process, int* out_exit_code);

/**
 * Sends SIGTERM. A process that has ended already is left alone.
 *
 * @return MPC_OK; MPC_ESTATE where it was not started or is closed; MPC_ECHILD where another
 *         process made it; MPC_ESYSTEM where the kernel refuses.
 *
 * Blocks: never. Threads: any. Since: 0.1.
 */
MPC_API mpc_status mpc_process_terminate(mpc_process* process);

/**
 * Sends SIGKILL. Otherwise as mpc_process_terminate().
 *
 * Blocks: never. Threads: any. Since: 0.1.
 */
MPC_API mpc_status mpc_process_kill(mpc_process* process);

/**
 * Gives back what belongs to a process that has ended or was never started.
 *
 * From then on every call but mpc_process_destroy(), _state() and _describe() answers MPC_ESTATE.
 *
 * @return MPC_OK      Also where it was closed before.
 *         MPC_ESTATE  It runs still; join it first.
 *
 * Blocks: never. Threads: any. Since: 0.1.
 */
MPC_API mpc_status mpc_process_close(mpc_process* process);

/**
 * Takes the handle back. A process that runs goes on, and is reaped by a later call.
 *
 * @param process  NULL is fine.
 * @return MPC_OK, or MPC_EINVAL for a handle that is used up.
 *
 * Blocks: never. Threads: any. Since: 0.1.
 */
MPC_API mpc_status mpc_process_destroy(mpc_process* process);

/**
 * Tells the process id.
 *
 * @return MPC_OK; MPC_ESTATE before the start (Python: None) and after mpc_process_close().
 *
 * Blocks: never. Threads: any. Since: 0.1.
 */
MPC_API mpc_status mpc_process_pid(mpc_process* process, int32_t* out_pid);

/**
 * Copies the name of the process.
 *
 * @param buffer    Receives the text, ended by a NUL, cut where it does not fit.
 * @param capacity  Size of `buffer` in bytes; 64 is always enough.
 * @return MPC_OK; MPC_ESTATE after mpc_process_close().
 *
 * Blocks: never. Threads: any. Since: 0.1.
 */
MPC_API mpc_status mpc_process_name(mpc_process* process, char* buffer, size_t capacity);

/**
 * Renames the process. The child itself knows the name that was set when it started.
 *
 * @param name  Copied; 1 to 63 bytes.
 *
 * Blocks: never. Threads: any. Since: 0.1.
 */
MPC_API MPC_NODISCARD mpc_status mpc_process_set_name(mpc_process* process, const char* name);

/**
 * Tells where in its life the process is.
 *
 * Blocks: never. Threads: any. Since: 0.1.
 */
MPC_API mpc_status mpc_process_state_get(mpc_process* process, mpc_process_state* out_state);

/**
 * Describes the process in one line for logs, such as
 * `<Process name='Process-1' pid=12 parent=11 stopped exitcode=-SIGTERM daemon>`.
 *
 * @return MPC_OK; the text is cut where `capacity` is too small (160 is always enough).
 *
 * Blocks: never. Threads: any. Since: 0.1.
 */
MPC_API mpc_status mpc_process_describe(mpc_process* process, char* buffer, size_t capacity);

/**
 * Copies the name of the calling process: "MainProcess", or what its starter named it.
 *
 * Python: multiprocessing.current_process().name.
 *
 * @return Length of the whole name in bytes, without the NUL.
 *
 * Blocks: never. Threads: any. Since: 0.1.
 */
MPC_API size_t mpc_process_current_name(char* buffer, size_t capacity);

/**
 * Tells whether the process is, or will be, a daemon: terminated when its parent exits.
 *
 * Python: Process.daemon.
 *
 * @param out_daemon  Receives 1 or 0.
 * @return MPC_OK; MPC_ESTATE after mpc_process_close().
 *
 * Blocks: never. Threads: any. Since: 0.1.
 */
MPC_API mpc_status mpc_process_daemon(mpc_process* process, int* out_daemon);

/**
 * Makes the process a daemon, or not, before it is started.
 *
 * Python: Process.daemon = ...
 *
 * @param daemon  Not 0: it will be one.
 * @return MPC_OK
 *         MPC_ESTATE  It was started, or is closed.
 *         MPC_ECHILD  It was made by another process.
 *
 * Blocks: never. Threads: any. Since: 0.1.
 */
MPC_API MPC_NODISCARD mpc_status mpc_process_set_daemon(mpc_process* process, int daemon);

#ifdef __cplusplus
}
#endif

/* Whoever has the handle has these calls as well. */
#include <mpc/process_control.h>

#endif
