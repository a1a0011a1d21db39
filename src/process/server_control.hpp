// SPDX-License-Identifier: Apache-2.0
// What a fork server and those who ask it share.
//
// The server is the process behind the start method `forkserver`: a fresh image that has run
// nothing of the program's but what was preloaded, has one thread, and forks a child at each
// request. It is nobody's child (the intermediate process that made it has returned), is tied to
// the life of the process that had it made, and is made again when it is found dead. What it has
// started goes on without it.
//
// A request is one datagram: a ServerRequest, with the descriptors that the child is to have. Its
// answer is in the child's message (ServedWords), in group memory. The socket's name is abstract,
// so anybody may send; the server heeds none but processes of its own user (SCM_CREDENTIALS, from
// the kernel) that know the key, which is in group memory alone.
//
// A server that is killed between the fork and the answer leaves a child of which nobody was told.
// Who asked takes the record back (one CAS) before it asks again: that child finds it gone and
// ends, or was faster and is the one.
#ifndef MPC_PROCESS_SERVER_CONTROL_HPP
#define MPC_PROCESS_SERVER_CONTROL_HPP

#include <cstdint>

#include "group/layout.hpp"
#include "process/authkey.hpp"

namespace mpc {

inline constexpr uint32_t kServerKeySize = 32;
inline constexpr uint32_t kServerDescriptors = 64;
inline constexpr int32_t kTieNumber = -1;  // wherever there is room: the connection to the lifeline

// Which process credentials a child of the server would have.
struct Credentials {
  uint32_t uids[3] = {};  // real, effective, saved
  uint32_t gids[3] = {};
  bool operator==(const Credentials&) const = default;
  static Credentials now();
};

// In group memory, private to who had the server made.
struct ServerControl {
  enum State : uint32_t { kStarting, kReady, kFailed };
  Word<uint32_t> state;  // a futex
  int32_t pid;
  uint64_t identity;  // os/identity.hpp
  uint32_t name_length;
  char name[28];  // of the socket: sockaddr_un
  unsigned char key[kServerKeySize];
  Credentials credentials;
  char failure[128];
};

struct ServerRequest {
  unsigned char key[kServerKeySize];
  uint32_t starter;  // owner words
  uint32_t record;
  uint64_t message;  // offset of the StartMessage
  // The numbers that the child has the descriptors under that come along, in their order.
  uint32_t process_group;  // 1: the child leads one of its own
  uint32_t count;
  int32_t numbers[kServerDescriptors];
  Authkey authkey;  // of the starter
};

}  // namespace mpc

#endif
