// SPDX-License-Identifier: Apache-2.0
// What the tests of joining by a socket path share.
#ifndef MPC_TESTS_CAPI_JOIN_PATH_TEST_HPP
#define MPC_TESTS_CAPI_JOIN_PATH_TEST_HPP

#include <dirent.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <string>

#include <mpc/mpc.h>

#include "support/program.hpp"
#include "support/wait.hpp"

namespace mpc::test {

// A folder of its own, which must be empty in the end but for what the test removes itself.
class SocketFolder {
 public:
  SocketFolder() : path_("/tmp/mpc-join-XXXXXX") { EXPECT_NE(mkdtemp(path_.data()), nullptr); }
  ~SocketFolder() {
    unlink(socket().c_str());
    EXPECT_EQ(rmdir(path_.c_str()), 0) << path_ << " is not empty";
  }
  SocketFolder(const SocketFolder&) = delete;
  SocketFolder& operator=(const SocketFolder&) = delete;
  const std::string& path() const { return path_; }
  std::string socket() const { return path_ + "/group"; }

 private:
  std::string path_;
};

inline bool is_there(const std::string& path) { return access(path.c_str(), F_OK) == 0; }

inline size_t threads() {
  size_t count = 0;
  DIR* folder = opendir("/proc/self/task");
  while (const dirent* entry = readdir(folder)) count += entry->d_name[0] == '.' ? 0 : 1;
  closedir(folder);
  return count;
}

inline mpc_group_stats figures() {
  mpc_group_stats stats = MPC_GROUP_STATS_INIT;
  EXPECT_EQ(mpc_group_stats_get(&stats), MPC_OK) << last_message();
  return stats;
}

// Joins as soon as somebody listens.
inline mpc_status join_when_there(const std::string& path) {
  int64_t begun = now_ns();
  mpc_status status;
  while ((status = mpc_group_join_path(path.c_str(), kLongEnough)) == MPC_ECLOSED &&
         now_ns() - begun < kLongEnough) {
    sched_yield();
  }
  return status;
}

inline sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  memcpy(address.sun_path, path.data(), std::min(path.size(), sizeof address.sun_path - 1));
  if (path[0] == '@') address.sun_path[0] = '\0';
  return address;
}

// A socket that is bound to the path without the library; -1 and errno.
inline int bound_socket(const std::string& path, int type) {
  sockaddr_un address = address_of(path);
  int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return -1;
  return fd;
}

// A client that is connected without the library; -1 and errno.
inline int raw_client(const std::string& path) {
  sockaddr_un address = address_of(path);
  int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) return fd;
  int error = errno;
  close(fd);
  errno = error;
  return -1;
}

}  // namespace mpc::test

#endif
