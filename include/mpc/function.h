/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * Functions by name, for processes that do not share the starter's image; and which image they
 * have.
 *
 * Under `fork` a child has every function at the address that its parent knows. A fresh image
 * (`spawn`) has them elsewhere, and is told of a function by the file that holds it, the build id
 * of that file, and the offset in it. This needs nothing of the program: functions may be static,
 * and of the program as well as of a library; a file that was exchanged since is MPC_EFUNCTION.
 *
 * What has no such name can be registered by one: functions in a file that was linked without a
 * build id, and functions that are to be found in another build of the same program. Code that was
 * generated at run time (by a JIT compiler, a closure of an FFI) has no file; a process with
 * another image has it only where it makes and registers it for itself.
 *
 * @code
 * static int work(const void *argument, size_t size, const mpc_ref *refs, size_t ref_count) {
 *   return 7;
 * }
 * MPC_REGISTER_FUNCTION(work);                      // known as "work" before main() begins
 * @endcode
 *
 * A name must be registered in each process that is to find it, at best before its main(). What is
 * registered stays so: there is no way to take a name back, and the library that holds the function
 * is not unloaded any more.
 */
#ifndef LIBMPC_FUNCTION_H
#define LIBMPC_FUNCTION_H

#include <mpc/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Any function. Cast it to the type that it has before it is called. */
typedef void (*mpc_function)(void);

/**
 * Registers a function of this process by a name.
 *
 * A function may have several names; what is sent to other processes is the first. May be called
 * from constructors, before main().
 *
 * @param name      Copied; 1 to 255 bytes, any but NUL.
 * @param function  Cast from whatever type it has. Stays callable until the process ends; the file
 *                  that holds it is kept loaded.
 * @return MPC_OK      It has the name; also where it had it before.
 *         MPC_ESTATE  Another function has it.
 *         MPC_EINVAL  A name that is empty or too long.
 *
 * Blocks: never. Threads: any. Since: 0.1.
 */
MPC_API MPC_NODISCARD mpc_status mpc_function_register(const char* name, mpc_function function);

/**
 * Finds the function that was registered in this process by a name.
 *
 * @param out_function  Receives it; to be cast back to its own type.
 * @return MPC_OK
 *         MPC_EFUNCTION  None was registered by this name.
 *
 * Blocks: never. Threads: any. Since: 0.1.
 */
MPC_API MPC_NODISCARD mpc_status mpc_function_find(const char* name, mpc_function* out_function);

/**
 * Chooses the executable that `spawn` and `forkserver` start instead of the program's own image, in
 * this process and in those that it forks.
 *
 * It has to be linked to this library, so that it is taken over before its main() runs. There a
 * function is found by its registered name, or in a shared library with the build id of the one
 * that holds it here, which is loaded by its path if need be; a function of this very program only
 * in another copy of it. What cannot be found there, and an executable that does not load this
 * library and returns 0, ends the child with the exit code 255 and a warning in the log.
 *
 * Python: multiprocessing.set_executable(executable); there it is the interpreter.
 *
 * @param path  Copied; relative to the folder that this process is in now. NULL goes back to the
 *              program's own image.
 * @return MPC_OK
 *         MPC_EINVAL   The path is empty.
 *         MPC_ESYSTEM  The file cannot be executed; the message says why.
 *
 * Blocks: never. Threads: any. Since: 0.1.
 */
MPC_API MPC_NODISCARD mpc_status mpc_executable_set(const char* path);

/**
 * Tells the executable that mpc_executable_set() chose.
 *
 * Python: multiprocessing.spawn.get_executable().
 *
 * @param buffer    Receives the absolute path, ended by a NUL, cut where it does not fit; "" where
 *                  it is the program's own image.
 * @param capacity  Size of `buffer` in bytes.
 * @return Length of the whole path in bytes, without the NUL.
 *
 * Blocks: never. Threads: any. Since: 0.1.
 */
MPC_API size_t mpc_executable_get(char* buffer, size_t capacity);

#if defined(__GNUC__) || defined(__clang__)
#ifdef __cplusplus
#define MPC_FUNCTION_CAST(function) reinterpret_cast<mpc_function>(function)
#else
#define MPC_FUNCTION_CAST(function) ((mpc_function)(function))
#endif

/**
 * Registers a function by its own name when the file that holds this line is loaded: before main(),
 * or in dlopen(). For file scope, behind the function's declaration, with a semicolon.
 *
 * What mpc_function_register() answered is in the static variable `mpc_registered_FUNCTION` from
 * then on. Where that is a failure (two functions of one name, no memory) the function is as if it
 * had never been registered: it is still found by its file where that has a build id.
 *
 * @param function  An identifier, of a function that is not overloaded. In C++ a namespace may be
 *                  around the line, but not in the name.
 *
 * GCC and Clang. Since: 0.1.
 */
#define MPC_REGISTER_FUNCTION(function)                                                        \
  static mpc_status mpc_registered_##function __attribute__((unused));                         \
  __attribute__((constructor)) static void mpc_register_##function(void) {                     \
    mpc_registered_##function = mpc_function_register(#function, MPC_FUNCTION_CAST(function)); \
  }                                                                                            \
  struct mpc_register_end_##function
#endif

#ifdef __cplusplus
}
#endif

#endif
