// SPDX-License-Identifier: Apache-2.0
// The end of a process whose first thread has nothing more to do, as after a pthread_exit() in
// main().
#ifndef MPC_OS_OTHER_THREADS_HPP
#define MPC_OS_OTHER_THREADS_HPP

namespace mpc {

// Waits until the calling thread is the last one of the program in this process; the library's own
// bare threads do not count. False, at once, where /proc does not tell.
//
// Nothing wakes who waits for this, as the C library knows how many threads there are and tells
// nobody: it looks from time to time.
bool wait_for_other_threads();

}  // namespace mpc

#endif
