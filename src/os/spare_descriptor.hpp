// SPDX-License-Identifier: Apache-2.0
// One descriptor kept in reserve, so that a process that has run out of them can still ask the
// kernel who is dead.
//
// It is a duplicate of the group's memory file and is known by that file's inode: a program that
// closes descriptors it did not open may have given the number to a file of its own by now, and
// then there simply is no spare.
#ifndef MPC_OS_SPARE_DESCRIPTOR_HPP
#define MPC_OS_SPARE_DESCRIPTOR_HPP

#include <errno.h>

namespace mpc {

// Makes a duplicate of `fd` the spare; closes what was the spare if it is still ours.
void spare_set(int fd);

// Closes the spare if it is still ours.
void spare_clear();

// Gives the spare up; true if that freed a descriptor. `spare_restore` takes one again.
bool spare_give_up();
void spare_restore();

// Whether `fd` is still open on the file with this device and inode.
bool same_file(int fd, unsigned long device, unsigned long inode);

// Runs `open_it`, which returns a descriptor or -1 and errno; once more without the spare if
// descriptors ran out. The spare is taken again at the next call that finds room for it.
template <class Open>
int with_spare(Open open_it) {
  int fd = open_it();
  if (fd < 0 && (errno == EMFILE || errno == ENFILE) && spare_give_up()) fd = open_it();
  return fd;
}

}  // namespace mpc

#endif
