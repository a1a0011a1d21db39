/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * Status codes, their names, and the message of the last failure.
 *
 * The numbers never change and are never used again for something else. Failures are negative;
 * success with news is positive; `status < 0` is the one test for failure. Besides what its own
 * text lists, any call may answer MPC_EINVAL (an argument makes no sense), MPC_ENOMEM (the
 * process's own memory is used up), MPC_ESYSTEM (the kernel refused something; the message has
 * the errno), MPC_EEXHAUSTED, MPC_EPARTICIPANTS, and MPC_EINTERNAL (a bug in the library).
 */
#ifndef LIBMPC_ERROR_H
#define LIBMPC_ERROR_H

#include <mpc/base.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum mpc_status {
  MPC_OK = 0,              /**< It was done. */
  MPC_EINVAL = -1,         /**< An argument makes no sense, or a handle is used up. */
  MPC_ENOMEM = -2,         /**< This process's own memory is used up. */
  MPC_EINTERNAL = -3,      /**< A bug in the library; please report it with the message. */
  MPC_ESYSTEM = -4,        /**< The kernel refused; the message names the call and the errno. */
  MPC_ETIMEDOUT = -5,      /**< It did not happen in time. */
  MPC_ECLOSED = -6,        /**< The thing takes no more work. */
  MPC_ESTALE = -7,         /**< What a ref or a handle names has ended. */
  MPC_EGROUP = -8,         /**< The ref belongs to another group of processes. */
  MPC_ELAYOUT = -9,        /**< The group was made by a library with another memory layout. */
  MPC_EEXHAUSTED = -10,    /**< Group memory has reached its limit. */
  MPC_EPARTICIPANTS = -11, /**< The group has as many processes as it can have. */
  MPC_ESTATE = -12,        /**< Not possible in the present state: started twice, still running. */
  MPC_ECHILD = -13,        /**< Only the process that made this may do that. */
  MPC_EWORKER_LOST = -14,  /**< The worker died while it had this in its hands. */
  MPC_ETASK = -15,         /**< The function that was called reported an error of its own. */
  MPC_ETERMINATED = -16,   /**< It was terminated before it could finish. */
  MPC_E2BIG = -17,         /**< An option struct of a newer version sets a field unknown here. */
  MPC_EVERSION = -18,      /**< The header compiled against does not fit the library loaded. */
  MPC_ENOTSUP = -19,       /**< Not provided on this system, or not for this kind of thing. */
  MPC_EBOOTSTRAP = -20,    /**< A child that has not begun yet: no call before its function. */
  MPC_EFUNCTION = -21      /**< The function cannot be reached in a fresh process. */
} mpc_status;

/**
 * Checks that the header compiled against fits the library loaded.
 *
 * Before 1.0 major and minor numbers must be the same; from 1.0 on the library must be of the same
 * major version and not older than the header.
 *
 * @param header_version  LIBMPC_VERSION_NUMBER of the header in use.
 * @return MPC_OK        They fit.
 *         MPC_EVERSION  They do not; the message names both versions.
 *
 * Blocks: never. Threads: any. Since: 0.1.
 */
MPC_API MPC_NODISCARD mpc_status mpc_library_check(uint32_t header_version);

/**
 * The name of a status, such as "MPC_ETIMEDOUT".
 *
 * Blocks: never. Threads: any. Async-signal-safe. Since: 0.1.
 * @return A string that lives as long as the library; "MPC_E?" for a number that is no status.
 */
MPC_API const char* mpc_status_name(mpc_status status);

/**
 * One sentence on what a status means, without the circumstances of the last failure.
 *
 * Blocks: never. Threads: any. Async-signal-safe. Since: 0.1.
 * @return A string that lives as long as the library.
 */
MPC_API const char* mpc_status_text(mpc_status status);

/**
 * Copies the message of the calling thread's last failed call.
 *
 * One line that says what was wrong and what to do. Every failing call sets it; a call that
 * succeeds leaves it alone.
 *
 * @param buffer    Receives the text, always ended by a NUL, cut where it does not fit. May be
 *                  NULL where `capacity` is 0.
 * @param capacity  Size of `buffer` in bytes.
 * @return Length of the whole message in bytes, without the NUL; 0 where nothing has failed yet.
 *
 * Blocks: never. Threads: any; each has its own message. Since: 0.1.
 */
MPC_API size_t mpc_last_error_message(char* buffer, size_t capacity);

#ifdef __cplusplus
}
#endif

#endif
