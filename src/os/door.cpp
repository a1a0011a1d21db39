// SPDX-License-Identifier: Apache-2.0
#include "os/door.hpp"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#include <atomic>

#include "base/fd.hpp"
#include "os/bare_thread.hpp"
#include "os/spare_descriptor.hpp"

namespace mpc {
namespace {

constexpr size_t kStackSize = size_t{16} * 1024;
constexpr int kBacklog = 4096;
constexpr long kPause = 10000000;

// Numbers in the thread's own table.
constexpr long kListener = 0;
constexpr long kBell = 1;  // a datagram to it says: look at `stop`

// All that the thread needs stands here, made ready: it must call nothing, not even to empty a
// struct.
struct Door {
  pid_t process = 0;  // whose it is: a forked child has none of its own
  BareThread thread;  // keeps the memory's descriptor
  SocketAddress address;
  sockaddr_un bell{};
  uint32_t bell_length = 0;
  pollfd polled[2] = {};
  timespec pause{};
  ucred peer{};
  uint32_t peer_size = 0;
  Greeting greeting;
  iovec bytes{};
  msghdr message{};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
};
Door door;
alignas(64) char door_stack[kStackSize];

// By the user of this thread, which is the one that the process had when it began to listen.
[[gnu::always_inline]] inline void greet(long client) {
  door.peer_size = sizeof door.peer;
  long asked =
      raw_syscall(SYS_getsockopt, client, SOL_SOCKET, SO_PEERCRED,
                  reinterpret_cast<long>(&door.peer), reinterpret_cast<long>(&door.peer_size));
  if (asked != 0 || door.peer.uid != static_cast<uid_t>(raw_syscall(SYS_geteuid))) return;
  door.greeting.joiner = door.peer.pid;
  raw_syscall(SYS_sendmsg, client, reinterpret_cast<long>(&door.message),
              MSG_DONTWAIT | MSG_NOSIGNAL);
}

// Where no descriptor or memory is to be had, those who wait are looked at again after a while.
[[gnu::always_inline]] inline void pause_for_lack() {
  door.pause.tv_sec = 0;
  door.pause.tv_nsec = kPause;
  raw_syscall(SYS_ppoll, reinterpret_cast<long>(&door.polled[kBell]), 1,
              reinterpret_cast<long>(&door.pause), 0, 0);
}

[[gnu::always_inline]] inline void serve_all() {
  while (door.thread.stop.load() == 0) {
    long client = raw_syscall(SYS_accept4, kListener, 0, 0, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (client == -EINTR || client == -ECONNABORTED) continue;
    if (client < 0) {
      if (client != -EAGAIN) pause_for_lack();
      return;
    }
    greet(client);
    raw_syscall(SYS_close, client);
  }
}

[[gnu::always_inline]] inline long begin_to_listen() {
  long result = raw_syscall(SYS_socket, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (result != kListener) return result;
  // The rights of the name are those of the socket, less the umask, from its first moment on.
  raw_syscall(SYS_fchmod, kListener, 0600);
  result = raw_syscall(SYS_socket, AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (result != kBell) return result;
  result = raw_syscall(SYS_bind, kBell, reinterpret_cast<long>(&door.bell), sizeof(sa_family_t));
  if (result != 0) return result;
  result = raw_syscall(SYS_getsockname, kBell, reinterpret_cast<long>(&door.bell),
                       reinterpret_cast<long>(&door.bell_length));
  if (result != 0) return result;
  result = raw_syscall(SYS_bind, kListener, reinterpret_cast<long>(&door.address.name),
                       door.address.length);
  if (result != 0) return result;
  return raw_syscall(SYS_listen, kListener, kBacklog);
}

[[gnu::always_inline]] inline void attend_until_stopped() {
  while (door.thread.stop.load() == 0) {
    raw_syscall(SYS_ppoll, reinterpret_cast<long>(door.polled), 2, 0, 0, 0);
    char byte;
    if (door.polled[kBell].revents != 0) {
      raw_syscall(SYS_recvfrom, kBell, reinterpret_cast<long>(&byte), 1, MSG_DONTWAIT, 0, 0);
    }
    serve_all();
  }
}

MPC_BARE int attend(void*) {
  long result = bare_thread_empty_table(door.thread);
  if (result < 0) {
    bare_thread_ready(door.thread, result);  // the table may still be the program's
    return bare_thread_exit();
  }
  result = begin_to_listen();
  bare_thread_ready(door.thread, result);
  if (result == 0) attend_until_stopped();
  // The thread's end is told before its table is taken down, and the name may be wanted at once.
  raw_syscall(SYS_close, kListener);
  raw_syscall(SYS_close, kBell);
  return bare_thread_exit();
}

void make_ready(const SocketAddress& address, int memory_fd, const Greeting& greeting) {
  door.thread.kept_fd = memory_fd;
  door.address = address;
  door.bell = {};
  door.bell.sun_family = AF_UNIX;
  door.bell_length = sizeof door.bell;
  door.polled[kListener] = {static_cast<int>(kListener), POLLIN, 0};
  door.polled[kBell] = {static_cast<int>(kBell), POLLIN, 0};
  door.greeting = greeting;
  door.bytes = {&door.greeting, sizeof door.greeting};
  door.message = {};
  door.message.msg_iov = &door.bytes;
  door.message.msg_iovlen = 1;
  door.message.msg_control = door.control;
  door.message.msg_controllen = sizeof door.control;
  cmsghdr* rights = CMSG_FIRSTHDR(&door.message);
  rights->cmsg_level = SOL_SOCKET;
  rights->cmsg_type = SCM_RIGHTS;
  rights->cmsg_len = CMSG_LEN(sizeof memory_fd);
  memcpy(CMSG_DATA(rights), &memory_fd, sizeof memory_fd);
}

}  // namespace

int door_open(const SocketAddress& address, int memory_fd, const Greeting& greeting) {
  make_ready(address, memory_fd, greeting);
  int error = bare_thread_start(door.thread, attend, door_stack, kStackSize);
  if (error == 0) door.process = getpid();
  return error;
}

bool door_is_open() { return door.process == getpid(); }

Result<void> door_close() {
  if (!door_is_open()) return {};
  Fd fd(with_spare([] { return socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0); }));
  if (!fd) return system_failure("the socket that ends listening", errno);
  door.thread.stop.store(1);
  // A full queue wakes the thread as well.
  if (sendto(fd.get(), "", 1, MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&door.bell),
             door.bell_length) < 0 &&
      errno != EAGAIN && errno != EWOULDBLOCK) {
    door.thread.stop.store(0);
    return system_failure("the message that ends listening", errno);
  }
  bare_thread_join(door.thread);
  door.process = 0;
  return {};
}

}  // namespace mpc
