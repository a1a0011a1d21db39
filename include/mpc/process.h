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
 * Under `spawn` and `forkserver` the child is a fresh image: globals and plain pointers of the
 * parent mean nothing there, group memory and refs do. It is an image of the program for a function
 * of the program (static ones too), whose main() does not run, and of the helper mpc-worker for one
 * of a shared library. Constructors of the program do run, and are answered MPC_EBOOTSTRAP by this
 * library.
 *
 * When the parent dies, however, its children are killed (SIGKILL), unless they are detached, or
 * have closed descriptors that they did not open: one of them is the tie. When the parent returns
 * from main() or calls exit(), daemons are terminated and the others are waited for, as in Python.
 *
 * The first start in a process makes one sleeping kernel thread there (no pthread: it is in no
 * count of the C library's, runs no code of the program's, and keeps no process alive). It holds
 * what tells the children of this process's death; a descriptor could be closed by the program.
 *
 * `fork` copies only the calling thread. A lock that another thread held stays held in the child:
 * a program that has threads should do no more in the child than it would after its own fork().
 */
#ifndef LIBMPC_PROCESS_H
#define LIBMPC_PROCESS_H

#include <mpc/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/** How a process comes into being. */
typedef enum mpc_start_method {
  MPC_START_DEFAULT = 0,   /**< Whatever mpc_start_method_set() chose, or the library's default. */
  MPC_START_FORK = 1,      /**< fork(): a copy of the calling thread and of the whole memory. */
  MPC_START_SPAWN = 2,     /**< A fresh image of the program, or of mpc-worker. */
  MPC_START_FORKSERVER = 3 /**< A fork of a server that is a fresh image and has one thread. */
} mpc_start_method;

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
} mpc_process_options;

#define MPC_PROCESS_OPTIONS_INIT                                                               \
  {                                                                                            \
    sizeof(mpc_process_options), 0, 0, 0, 0, NULL, NULL, 0, NULL, 0, NULL, NULL, {0, 0, NULL}, \
        {0, 0, NULL}, {0, 0, NULL}, 0, 0, NULL, 0, NULL, 0, NULL, 0                            \
  }

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

/**
 * Makes a process; mpc_process_start() starts it.
 *
 * Python: Process(target=function, name=..., args=..., daemon=...).
 *
 * @param function     What it runs. NULL makes a process that does nothing and exits with 0.
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
 * reason as a warning.
 *
 * @return MPC_OK             It runs. It may also be at its end already.
 *         MPC_ESTATE         It was started before, or closed.
 *         MPC_ECHILD         It was made by another process (before a fork).
 *         MPC_ESTALE         An object that one of its refs names has ended.
 *         MPC_EGROUP         One of its refs is of another group.
 *         MPC_EFUNCTION      A fresh image cannot have the function; the message says what to do.
 *         MPC_EPARTICIPANTS  4,096 processes are in the group already.
 *         MPC_ESYSTEM        The kernel could not start one, or there is no such folder, file or
 *                            descriptor; the message says what failed and why.
 *
 * Blocks: never; under `forkserver` until the server has answered, which takes about a fork, the
 * first time about an exec and, where it was stopped, two seconds. Threads: any. Since: 0.1.
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
 * Sends SIGINT, as Ctrl-C does. Otherwise as mpc_process_terminate(). A pool worker ignores it.
 *
 * Python: Process.interrupt().
 *
 * Blocks: never. Threads: any. Since: 0.1.
 */
MPC_API mpc_status mpc_process_interrupt(mpc_process* process);

/** What it took to end a process. */
typedef enum mpc_stop_way {
  MPC_STOP_NOTHING = 0,    /**< It had ended already. */
  MPC_STOP_TERMINATED = 1, /**< SIGTERM was sent, and it ended in time. */
  MPC_STOP_KILLED = 2      /**< SIGKILL was sent as well. */
} mpc_stop_way;

/**
 * Ends the process and waits for its end: sends SIGTERM, and SIGKILL if it runs still when the time
 * is over.
 *
 * In Python these are terminate(), join(timeout), kill() and join().
 *
 * @param grace_ns  How long it has after SIGTERM, in nanoseconds. 0 sends both at once, MPC_FOREVER
 *                  never sends SIGKILL.
 * @param out_way   Receives what it took; NULL is fine.
 * @return MPC_OK       It has ended.
 *         MPC_ESTATE   It was not started, or it is closed.
 *         MPC_ECHILD   It was made by another process.
 *         MPC_ESYSTEM  The kernel refuses a signal.
 *
 * Blocks: up to `grace_ns`, and for as long as the kernel takes to end a killed process; goes on
 * after signals. Threads: any. Since: 0.1.
 */
MPC_API mpc_status mpc_process_stop(mpc_process* process, int64_t grace_ns, mpc_stop_way* out_way);

/**
 * Sends SIGTERM to the process and to all of its descendants.
 *
 * Those are its children, their children and so on, whether this library started them (also where
 * the kernel has them as another's children) or they were forked by the program, detached ones
 * included. Who came of a descendant that has ended already is no descendant any more.
 *
 * So that none is missed, all of them are stopped (SIGSTOP) while they are looked for, and
 * continued (SIGCONT) when the signal is sent; one that was stopped before stays stopped, and gets
 * the signal when somebody continues it. The youngest are continued first; but a parent that ends
 * takes the children with it that are tied to its life. A process that has ended already is left
 * alone, its descendants as well.
 *
 * @return MPC_OK
 *         MPC_ESTATE   It was not started, or it is closed.
 *         MPC_ECHILD   It was made by another process.
 *         MPC_ENOTSUP  /proc is missing, or another namespace's. Nothing was sent.
 *         MPC_ESYSTEM  The kernel refuses a signal to one of them, as after a change of its user;
 *                      the others were sent theirs.
 *
 * Blocks: never for others' work; some milliseconds, and at most 200 ms each time that one of them
 * does not stop at once. Threads: any. Since: 0.1.
 */
MPC_API mpc_status mpc_process_terminate_tree(mpc_process* process);

/**
 * Sends SIGKILL to the process and to all of its descendants. Otherwise as
 * mpc_process_terminate_tree().
 *
 * Blocks: as mpc_process_terminate_tree(). Threads: any. Since: 0.1.
 */
MPC_API mpc_status mpc_process_kill_tree(mpc_process* process);

/**
 * Opens a descriptor that poll(), select() and epoll report as readable once the process has ended.
 *
 * There is nothing to be read from it. Reap the process by mpc_process_join() or any other call
 * that looks at it. Each call opens another one.
 *
 * Python: Process.sentinel; there the process keeps it.
 *
 * @param out_fd  Receives it: closed on exec, above 2, the caller's to close.
 * @return MPC_OK       Also where it has ended.
 *         MPC_ESTATE   It was not started (Python: ValueError), or it is closed.
 *         MPC_ECHILD   It was made by another process.
 *         MPC_ESYSTEM  No descriptor is free.
 *
 * Blocks: never. Threads: any. Since: 0.1.
 */
MPC_API MPC_NODISCARD mpc_status mpc_process_sentinel(mpc_process* process, int* out_fd);

/**
 * Lets the process live on when its parent dies or exits, as mpc_process_options::detach does.
 *
 * Before the start it always can be. A process that runs is untied by way of its descriptors, for
 * which the kernel asks that this process might trace it (ptrace(2)): in a sandbox, or under a
 * security module that forbids that, or where the process has changed its user, it cannot be.
 *
 * @return MPC_OK       Also where it was detached before, or has ended.
 *         MPC_ESTATE   It is closed.
 *         MPC_ECHILD   It was made by another process.
 *         MPC_ENOTSUP  The kernel forbids it, or the process is tied by the signal that only itself
 *                      could take back (it had no descriptor free when it began), or is stopped
 *                      before its first steps. It is tied as before.
 *
 * Blocks: until the process has taken its first steps, at most a second. Threads: any. Since: 0.1.
 */
MPC_API MPC_NODISCARD mpc_status mpc_process_detach(mpc_process* process);

/** What a process has used from its start to its end, and with it those of its children that it
    has waited for. */
typedef struct mpc_process_usage {
  size_t struct_size;            /**< sizeof(mpc_process_usage), set by the caller. */
  uint32_t known;                /**< 1; 0: something else reaped it, and all below is 0. */
  uint32_t core_dumped;          /**< 1: a signal ended it and it left a core dump. */
  int64_t user_ns;               /**< CPU time in its own code, in nanoseconds. */
  int64_t system_ns;             /**< CPU time in the kernel, in nanoseconds. */
  uint64_t max_rss_bytes;        /**< Most memory that was resident at once. */
  uint64_t minor_faults;         /**< Page faults that needed no reading. */
  uint64_t major_faults;         /**< Page faults that did. */
  uint64_t voluntary_switches;   /**< How often it waited for something. */
  uint64_t involuntary_switches; /**< How often the CPU was taken from it. */
} mpc_process_usage;

/** For FFI and C alike: all zero but the size. */
#define MPC_PROCESS_USAGE_INIT \
  { sizeof(mpc_process_usage), 0, 0, 0, 0, 0, 0, 0, 0, 0 }

/**
 * Tells what a process has used, as the kernel told it when it was reaped.
 *
 * Under `fork` the memory that it shares with its parent counts as resident in it.
 *
 * @param usage  `struct_size` set by the caller; as many bytes as it says are filled.
 * @return MPC_OK      See `known` in it.
 *         MPC_EINVAL  `struct_size` is 0 or too small.
 *         MPC_ESTATE  It was not started, runs still, or is closed.
 *         MPC_ECHILD  It was made by another process.
 *
 * Blocks: never. Threads: any. Since: 0.1.
 */
MPC_API mpc_status mpc_process_usage_get(mpc_process* process, mpc_process_usage* usage);

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

#endif
