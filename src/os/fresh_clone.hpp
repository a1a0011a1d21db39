// SPDX-License-Identifier: Apache-2.0
// A child on this process's memory, for the time until it executes an image.
#ifndef MPC_OS_FRESH_CLONE_HPP
#define MPC_OS_FRESH_CLONE_HPP

#include <cstddef>

namespace mpc {

// Runs `body(data)` in a child that shares the memory, on `stack`, while the calling thread waits
// until it has executed an image or ended (CLONE_VM, CLONE_VFORK). Where the kernel gives the child
// its default handlers, `handlers_reset` is true before it runs: asking for them one by one takes
// as long as a tenth of a fork. The pid, or -errno.
//
// Nothing else may be done by `body` than raw system calls, and it must not return.
long fresh_clone(int (*body)(void*), void* data, char* stack, size_t size, bool& handlers_reset);

}  // namespace mpc

#endif
