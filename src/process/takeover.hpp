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
// It needs the library to be loaded with the program, if need be by LD_PRELOAD, and a program that
// gets at the C library through its table: not one that is linked statically.
#ifndef MPC_PROCESS_TAKEOVER_HPP
#define MPC_PROCESS_TAKEOVER_HPP

#include "base/result.hpp"

namespace mpc {

enum class Takeover {
  kByItself,  // the program loads the library
  kPreloaded  // it would not: this one did so while it ran
};

// How a fresh image of this program can be taken over; the error says why it cannot.
Result<Takeover> takeover_possible();

}  // namespace mpc

#endif
