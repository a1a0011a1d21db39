// SPDX-License-Identifier: Apache-2.0
// How children learn of their parent's death from the kernel, whatever the parent does meanwhile.
//
// A process that has children keeps a listening socket in a descriptor table of its own, held by a
// kernel thread that does nothing else; one for each network namespace that it starts children in.
// Each child connects to it and asks for SIGKILL when the connection hangs up: which the kernel
// sends when that thread goes, and it goes with its process.
//
// Why so: a parent-death signal fires when the forking *thread* ends, and is lost over some execs.
// A pipe's write end in the program's own table is closed by a program that closes what it did not
// open, which would kill its children, and is inherited by its own forks, which would keep orphans
// alive. A watching thread in each child costs as much as the fork itself.
#ifndef MPC_OS_LIFELINE_HPP
#define MPC_OS_LIFELINE_HPP

#include <cstdint>

#include "base/fd.hpp"
#include "base/result.hpp"

namespace mpc {

// The socket's name: abstract, chosen by the kernel.
struct LifelineAddress {
  uint32_t length = 0;
  char bytes[28] = {};
};

// What ties a child to this process.
struct Tie {
  LifelineAddress lifeline;
  // A connection that the child inherits and makes its own. -1: it makes one itself.
  int lent = -1;
};

// For the next child. The lifeline itself is made at the first call; its thread keeps `memory_fd`
// open, if that is one, in a table which the program cannot close it in. REQUIRES: one thread at a
// time, for this and for lifeline_lend().
Result<Tie> lifeline_offer(int memory_fd);

// The lifeline of this process for who is in the calling thread's network namespace. REQUIRES: as
// lifeline_offer().
Result<LifelineAddress> lifeline_address(int memory_fd);

// Says who was started with what was offered; 0: nobody.
//
// One connection is kept and lent to one child after the other: this process's copy keeps nobody
// alive, since it is the lifeline's end that hangs up. Making one for each child costs a tenth of a
// fork.
void lifeline_lend(const Tie& offered, int32_t pid);

// A connection for a child that cannot make one itself; the one that is lent, or a new one. Empty
// where no descriptor is free; an error where nobody could make one.
// REQUIRES: as lifeline_offer().
Result<Fd> lifeline_connection(const Tie& offered);

// The child has ended: what was lent to it can be lent again. From any thread.
void lifeline_return(int32_t pid);

// Tells the threads to take in who has connected, and to forget who has ended; cheap, and done now
// and then by itself. REQUIRES: as lifeline_offer().
void lifeline_tidy();

// How many threads of this process are the lifeline's.
unsigned lifeline_threads();

// Ends the thread and its socket: whoever is tied to it is killed. REQUIRES: no children.
void lifeline_end();

// Ties this process's life to that of the parent. False if the parent is dead already.
bool lifeline_tie(const Tie& parent, int32_t parent_pid);

// As lifeline_tie() in a fresh image, with what lifeline_connection() gave; uses nothing but system
// calls. `fd` -1: by a parent-death signal.
bool lifeline_tie_image(int fd, int32_t parent_pid);

// Ties a process that is not the child of whose life it is tied to. `fd` as in
// lifeline_tie_image(); -1: it connects by itself. False if that one is dead, or cannot be tied to.
bool lifeline_tie_to(const LifelineAddress& lifeline, int fd);

// For a process that is not to be tied, and is to be known by it as the tied are by theirs: who it
// is is set by F_SETOWN.
Result<Fd> lifeline_mark();

// Whether a descriptor is such a connection or mark, and not a file of the program's that has its
// number.
bool lifeline_is_tie(int fd);

// As lifeline_tie_to(), until what it gives is closed. Empty where that one is false.
Fd lifeline_tied_to(const LifelineAddress& lifeline);

// As above, in a fork server's child: past the C library where a connection came along.
bool lifeline_tie_served(const LifelineAddress& lifeline, int fd);

// What a child does with a tie that it does not want.
void lifeline_decline(const Tie& parent);

enum class Untied {
  kYes,
  kNotFound,  // it is not tied yet, or by its parent-death signal, which only it can take back
  kRefused    // the kernel does not let this process at the child's descriptors; errno tells why
};

// Unties a child from this process's life. REQUIRES: as lifeline_offer().
//
// The signal that a connection sends belongs to the open file and not to the descriptor: so whoever
// has the child's file for a moment can take it back. `pidfd` is the child's.
Untied lifeline_untie(int pidfd, int32_t pid);

}  // namespace mpc

#endif
