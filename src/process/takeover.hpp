// SPDX-License-Identifier: Apache-2.0
// A fresh image of the program, or of mpc-worker, becomes a child before its main() runs.
//
// How: the starter puts one variable into the environment of the image (start_ticket.hpp). The
// library's constructor finds it there, takes it out again, ties the process to its parent, and
// puts its own function in the place of __libc_start_main in the global offset table of the
// program, which has only been loaded so far. Called by the program's entry code, that one calls
// the C library's with another main: global constructors run as ever, main does not. It works for
// position-independent programs and others, with any kind of relocation binding, under sanitizers,
// and needs nothing preloaded.
//
// It needs the library to be loaded with the program, and a program that gets at the C library
// through its table: not one that is linked statically.
#ifndef MPC_PROCESS_TAKEOVER_HPP
#define MPC_PROCESS_TAKEOVER_HPP

#include "base/result.hpp"

namespace mpc {

// Whether a fresh image of this program would be taken over; the error says why not.
Result<void> takeover_possible();

}  // namespace mpc

#endif
