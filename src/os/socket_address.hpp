// SPDX-License-Identifier: Apache-2.0
// The address of a Unix socket, from the path that a program gives.
#ifndef MPC_OS_SOCKET_ADDRESS_HPP
#define MPC_OS_SOCKET_ADDRESS_HPP

#include <sys/un.h>

#include <cstdint>

#include "base/result.hpp"

namespace mpc {

struct SocketAddress {
  sockaddr_un name{};
  uint32_t length = 0;
  bool abstract() const { return name.sun_path[0] == '\0'; }
};

// "@name" is an abstract socket, which is in no folder; anything else is a path. MPC_EINVAL for an
// empty one, and for one that does not fit.
Result<SocketAddress> socket_address(const char* path);

}  // namespace mpc

#endif
