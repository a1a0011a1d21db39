/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A function that may leave by pthread_exit().
 *
 * What C++ has for this are handlers that the unwinder of the C library enters, which is another
 * copy than the one in this library and aborts there. What C has is setjmp() and an entry in a list
 * of the C library's, whose code is on pages that a fresh child does not have yet.
 */
#ifndef MPC_PROCESS_THREAD_EXIT_H
#define MPC_PROCESS_THREAD_EXIT_H

#ifdef __cplusplus
extern "C" {
#endif

/*
 * What body(argument) returns. Where it calls pthread_exit(), or the thread is cancelled in it,
 * leave(argument) runs in its place: it must not return.
 */
int run_with_thread_exit(int (*body)(void*), void (*leave)(void*), void* argument);

#ifdef __cplusplus
}
#endif

#endif
