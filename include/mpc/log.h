/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * What the library has to say, for those who ask. Off by default: it never prints by itself.
 */
#ifndef LIBMPC_LOG_H
#define LIBMPC_LOG_H

#include <mpc/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/** How important a line is, with the numbers of Python's logging. */
typedef enum mpc_log_level {
  MPC_LOG_OFF = 0,      /**< Nothing. */
  MPC_LOG_DEBUG = 10,   /**< For the makers of the library. */
  MPC_LOG_INFO = 20,    /**< Processes that are started, but for the library's own. */
  MPC_LOG_WARNING = 30, /**< A worker was lost; something will bite. */
  MPC_LOG_ERROR = 40    /**< A call failed for a reason that is not the caller's. */
} mpc_log_level;

/**
 * Receives one line, without a line feed. Called in the thread that had something to say, in the
 * parent and in each child that inherited it by fork; no lock of the library is held. Must not
 * call the library.
 */
typedef void (*mpc_log_fn)(mpc_log_level level, const char* line, void* user_data);

/**
 * Chooses who receives the library's log lines, in this process and in those started by fork.
 *
 * A line reads `[WARNING/MainProcess] text`.
 *
 * @param level      The least important level that is wanted; MPC_LOG_OFF for none.
 * @param function   NULL: lines go to standard error.
 * @param user_data  Handed to `function`.
 * @return MPC_OK; MPC_EINVAL for a number that is no level.
 *
 * Blocks: never. Threads: any. Since: 0.1.
 */
MPC_API mpc_status mpc_log_set(mpc_log_level level, mpc_log_fn function, void* user_data);

#ifdef __cplusplus
}
#endif

#endif
