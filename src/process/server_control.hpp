// SPDX-License-Identifier: Apache-2.0
// What a fork server and those who ask it share.
//
// The server is the process behind the start method `forkserver`: a fresh image that has run
// nothing of the program's but what was preloaded, has one thread, and forks a child at each
// request. It is nobody's child (the intermediate process that made it has returned). What it has
// started goes on without it.
//
// There is one for all processes of a tree that would make the same: of the same image, for the
// same credentials, with the same preload. It is tied to the life of the first process of the tree,
// so that it outlives everybody who asks it, and is made again by whoever finds it dead. Its
// children are tied to who started them, not to it.
//
// A server is a participant of the group, and found by its record there: one word of it, written
// when the server is ready, leads to the ServerControl, which is the server's own memory and does
// not change any more. So there is no list to be repaired: when the server is dead and swept the
// record is nobody's. A reader copies the control first, and then looks at the record again: if
// that is LIVE still, in the same generation, the copy is good, for memory of the living is not
// given back. Two processes that make the same server at once agree on the record that comes first
// and end the other one.
//
// A request is one datagram: a ServerRequest, with the descriptors that the child is to have. Its
// answer is in the child's record (served_record.hpp). The socket's name is abstract,
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

// In memory of the server.
struct ServerControl {
  uint32_t owner;  // owner word of the process whose life it is tied to
  int32_t pid;
  uint64_t identity;  // os/identity.hpp
  uint32_t name_length;
  char name[28];  // of the socket: sockaddr_un
  unsigned char key[kServerKeySize];
  // How many datagrams it has looked at: one that gets on is slow, but not stopped.
  Word<uint32_t> handled;
  uint32_t purpose_size;  // of what follows: the bytes that say for whom it is
};

// A process's copy of what it needs to ask a server.
struct Server {
  Owner record;
  Owner owner;
  uint64_t control = 0;  // offset of the ServerControl
  int32_t pid = 0;
  uint64_t identity = 0;
  uint32_t name_length = 0;
  char name[28] = {};
  unsigned char key[kServerKeySize] = {};
};

// How the making of a server goes, in memory of who has it made; the server writes there only while
// it is tied to that one's life.
struct ServerBirth {
  enum State : uint32_t { kStarting, kReady, kFailed };
  Word<uint32_t> state;  // a futex
  int32_t pid;           // by the intermediate process, before it returns
  uint64_t identity;
  uint64_t control;   // offset of the ServerControl
  uint32_t record;    // owner word of the server
  uint32_t unusable;  // it is the preload that failed, for which there can be no server
  char doing[128];    // of the preload
  char failure[256];  // why there is no server; why the preload was not done
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
