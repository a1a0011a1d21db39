// SPDX-License-Identifier: Apache-2.0
#include "group/join_path.hpp"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>

#include "base/fd.hpp"
#include "group/current.hpp"
#include "os/door.hpp"
#include "os/mapping.hpp"

namespace mpc {
namespace {

constexpr int64_t kLongestSleep = 1000000000;  // only against the unforeseen

Error timed_out(const char* path) {
  return failure(MPC_ETIMEDOUT,
                 "who listens at %s did not answer in time; it may be stopped, or not begun to "
                 "listen; try again",
                 path);
}

Error nobody_listens(const char* path, int error) {
  return failure(MPC_ECLOSED,
                 "nobody listens at %s (%s); let a participant of the group call "
                 "mpc_group_listen() first",
                 path, strerrorname_np(error));
}

Error no_group(const char* path, const char* why) {
  return failure(MPC_EGROUP, "who listens at %s is no group of libmpc: %s", path, why);
}

// A queue that is full is waited for in the kernel, which takes the time to wait from the socket.
Result<void> connect_within(int fd, const SocketAddress& address, const char* path,
                            Deadline deadline) {
  for (;;) {
    int64_t left = deadline.left(kLongestSleep);
    timeval most{static_cast<time_t>(left / 1000000000),
                 static_cast<suseconds_t>(std::max<int64_t>(1, left % 1000000000 / 1000))};
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof most);
    if (connect(fd, reinterpret_cast<const sockaddr*>(&address.name), address.length) == 0) {
      return {};
    }
    switch (errno) {
      case EAGAIN:
      case EINTR:
        if (deadline.past()) return timed_out(path);
        continue;
      case ENOENT:
      case ENOTDIR:
      case ECONNREFUSED:
        return nobody_listens(path, errno);
      case EPROTOTYPE:
        return no_group(path, "it is a socket of another type");
      default: {
        int error = errno;
        return system_failure((std::string("connect to ") + path).c_str(), error);
      }
    }
  }
}

// Nobody may lure this process into memory of his: group memory decides what code is run.
Result<ucred> listener_of(int fd, const char* path) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
    return system_failure("getsockopt(SO_PEERCRED)", errno);
  }
  if (peer.uid != geteuid()) {
    return failure(MPC_EGROUP, "who listens at %s is of user %u, this process of user %u", path,
                   static_cast<unsigned>(peer.uid), static_cast<unsigned>(geteuid()));
  }
  return peer;
}

// Takes the first descriptor that came with a message; others are closed.
Fd descriptor_of(msghdr& message) {
  Fd first;
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr;
       part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd;
      memcpy(&fd, CMSG_DATA(part) + i * sizeof fd, sizeof fd);
      Fd each(fd);
      if (!first) first = std::move(each);
    }
  }
  return first;
}

Result<Fd> receive(int fd, const char* path, Deadline deadline, Greeting& out_greeting) {
  for (;;) {
    iovec bytes{&out_greeting, sizeof out_greeting};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    msghdr message{};
    message.msg_iov = &bytes;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    ssize_t n = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n > 0) {
      Fd memory = above_standard(descriptor_of(message));
      bool whole = n == sizeof out_greeting && (message.msg_flags & MSG_TRUNC) == 0;
      if (!whole || out_greeting.magic != Greeting::kMagic) {
        return no_group(path, "it says something else");
      }
      if (!memory && (message.msg_flags & MSG_CTRUNC) != 0) {
        return system_failure("recvmsg of the memory's descriptor", EMFILE);
      }
      return memory;
    }
    if (n == 0 || errno == ECONNRESET) return nobody_listens(path, ECONNRESET);
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return system_failure("recvmsg", errno);
    if (deadline.past()) return timed_out(path);
    int64_t left = deadline.left(kLongestSleep);
    timespec most{static_cast<time_t>(left / 1000000000), static_cast<long>(left % 1000000000)};
    pollfd question{fd, POLLIN, 0};
    ppoll(&question, 1, &most, nullptr);
  }
}

// Participants ask the kernel about each other by pid. Whichever of two namespaces is the inner
// one, its processes do not see who is in the outer, for whose pid the kernel says 0.
Result<void> check_greeting(const Greeting& greeting, const ucred& listener, const char* path) {
  if (greeting.layout_version != kLayoutVersion) {
    return failure(MPC_ELAYOUT,
                   "the group at %s has layout version %u, this library speaks %u; use one "
                   "version of libmpc in all processes of a group",
                   path, greeting.layout_version, kLayoutVersion);
  }
  if (greeting.joiner != getpid() || greeting.owner != listener.pid) {
    return failure(MPC_ENOTSUP,
                   "who listens at %s is in another pid namespace; the processes of a group have "
                   "to be in one",
                   path);
  }
  return {};
}

struct Place {
  uintptr_t base;
  uint64_t size;
};

// Where the memory belongs, as it says itself; read before anything is mapped.
Result<Place> place_of(int fd, const Greeting& greeting, const char* path) {
  alignas(Header) unsigned char bytes[sizeof(Header)];
  uint64_t size = 0;
  struct stat st;
  if (!is_sealed_memory(fd, size) || size < kLeastGroup || fstat(fd, &st) != 0) {
    return no_group(path, "what it sent is not a group's memory");
  }
  if (pread(fd, bytes, sizeof bytes, 0) != sizeof bytes) return system_failure("pread", errno);
  const auto& header = *reinterpret_cast<const Header*>(bytes);
  if (header.magic != kGroupMagic || header.layout_version != kLayoutVersion ||
      header.size != size || header.id != greeting.group || header.inode != st.st_ino) {
    return no_group(path, "what it sent is not this group's memory");
  }
  return Place{static_cast<uintptr_t>(header.base), size};
}

}  // namespace

Result<void> group_join_path(const char* path, Deadline deadline) {
  if (Result<void> may = may_join_group(); !may) return may;
  Result<SocketAddress> address = socket_address(path);
  if (!address) return address.error();
  Fd fd = above_standard(Fd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)));
  if (!fd) return system_failure("socket", errno);
  Result<void> connected = connect_within(fd.get(), *address, path, deadline);
  if (!connected) return connected;
  Result<ucred> listener = listener_of(fd.get(), path);
  if (!listener) return listener.error();
  Greeting greeting;
  Result<Fd> memory = receive(fd.get(), path, deadline, greeting);
  if (!memory) return memory.error();
  if (Result<void> fits = check_greeting(greeting, *listener, path); !fits) return fits;
  Result<Place> place = place_of(memory->get(), greeting, path);
  if (!place) return place.error();
  Result<Group*> group = join_group(memory->release(), place->base, place->size);
  if (!group) return group.error();
  return {};
}

}  // namespace mpc
