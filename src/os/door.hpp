// SPDX-License-Identifier: Apache-2.0
// Hands the descriptor of a group's memory to processes of the same user that connect to a socket.
//
// A bare thread listens, so that the program can neither close the socket nor inherit it to its
// forks, and need not do anything for those who come. A client sends nothing, so that none can hold
// the others up: it is looked at, greeted or not, and hung up on.
#ifndef MPC_OS_DOOR_HPP
#define MPC_OS_DOOR_HPP

#include <cstdint>

#include "base/result.hpp"
#include "os/socket_address.hpp"

namespace mpc {

// What a client receives, in one message together with the descriptor. The first two fields stay
// where they are in every version: two versions can tell that they do not fit.
struct Greeting {
  static constexpr uint64_t kMagic = 0x6e696f6a6f74636d;  // "mctojoin"
  uint64_t magic = kMagic;
  uint32_t layout_version = 0;
  int32_t owner = 0;   // pid of who listens, as it knows it
  int32_t joiner = 0;  // pid of the client, as who listens knows it; 0: it is of elsewhere
  uint32_t reserved = 0;
  uint64_t group = 0;
};

// Listens at `address`, with rights for the user alone, from when it returns. Gives 0 or an errno.
// `memory_fd` stays the caller's. REQUIRES: one thread at a time, for all of these.
int door_open(const SocketAddress& address, int memory_fd, const Greeting& greeting);

// Whether this process listens; a forked child of one that does does not.
bool door_is_open();

// Stops listening. What the socket is called in the file system stays.
Result<void> door_close();

}  // namespace mpc

#endif
