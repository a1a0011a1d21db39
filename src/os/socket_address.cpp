// SPDX-License-Identifier: Apache-2.0
#include "os/socket_address.hpp"

#include <sys/socket.h>

#include <cstddef>
#include <cstring>

namespace mpc {

Result<SocketAddress> socket_address(const char* path) {
  SocketAddress address;
  size_t size = strlen(path);
  bool abstract = path[0] == '@';
  if (size == 0 || (abstract && size == 1)) {
    return failure(MPC_EINVAL, "the path of the socket is empty");
  }
  // A path ends with a NUL, an abstract name with its length.
  size_t most = sizeof address.name.sun_path - (abstract ? 0 : 1);
  if (size > most) {
    return failure(MPC_EINVAL,
                   "the path of the socket has %zu bytes, the kernel takes %zu; use a shorter one, "
                   "such as one relative to the working directory",
                   size, most);
  }
  address.name.sun_family = AF_UNIX;
  memcpy(address.name.sun_path, path, size);
  if (abstract) address.name.sun_path[0] = '\0';
  address.length =
      static_cast<uint32_t>(offsetof(sockaddr_un, sun_path) + size + (abstract ? 0 : 1));
  return address;
}

}  // namespace mpc
