// SPDX-License-Identifier: Apache-2.0
// /dev/null, kept open by those who start children: opening it anew costs each child a tenth of its
// start.
//
// Ours is known by a mark on the open file (a signal number for I/O that is never switched on), so
// that a descriptor which the program has closed and used again is not taken for it.
#ifndef MPC_OS_NULL_DEVICE_HPP
#define MPC_OS_NULL_DEVICE_HPP

namespace mpc {

// Sees to it that it is open. REQUIRES: one thread at a time.
void null_device_keep();

// Puts it in the place of another descriptor. In a child: opens it if it was not kept.
void null_device_put(int descriptor);

// Its number; -1 where it is not open (any more).
int null_device_number();

// Closes it if it is still ours.
void null_device_close();

}  // namespace mpc

#endif
