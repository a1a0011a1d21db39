// SPDX-License-Identifier: Apache-2.0
#include "os/lifeline.hpp"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <utility>

#include "base/child_page.hpp"
#include "base/fd.hpp"
#include "os/bare_thread.hpp"
#include "os/futex.hpp"
#include "os/raw_syscall.hpp"

namespace mpc {
namespace {

constexpr size_t kStackSize = size_t{32} * 1024;
constexpr int kBacklog = 4096;
constexpr unsigned kStartsBetweenTidying = 32;

struct Keeper {
  pid_t process = 0;  // whose it is: a forked child has none of its own
  BareThread thread;  // keeps the memory's descriptor
  std::atomic<uint32_t> pokes{0};
  unsigned starts = 0;
  int connection = -1;  // the one that is lent
  std::atomic<int32_t> lent_to{0};
  sockaddr_un name{};
  uint32_t name_length = 0;
};
MPC_CHILD_PAGE Keeper keeper;
// Here and not in a mapping of its own: each mapping more is work at every fork.
alignas(64) char keeper_stack[kStackSize];

// Takes in who has connected and drops who has hung up. Accepting matters only because a queue of
// connections that are never accepted would fill up with the dead.
[[gnu::always_inline]] inline void tidy_connections() {
  long highest = 0;
  for (;;) {
    long fd = raw_syscall(SYS_accept4, 0, 0, 0, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) break;
    if (fd > highest) highest = fd;
  }
  char byte;
  long beyond = 0;
  for (long fd = 1; beyond < 64; ++fd) {
    long n = raw_syscall(SYS_recvfrom, fd, reinterpret_cast<long>(&byte), 1, MSG_DONTWAIT, 0, 0);
    beyond = n == -EBADF && fd > highest ? beyond + 1 : 0;
    if (n == 0 || n == -ECONNRESET) raw_syscall(SYS_close, fd);
  }
}

MPC_BARE int keep(void*) {
  long result = bare_thread_empty_table(keeper.thread);
  if (result >= 0) {
    result = raw_syscall(SYS_socket, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  }
  if (result == 0) {
    keeper.name.sun_family = AF_UNIX;
    result = raw_syscall(SYS_bind, 0, reinterpret_cast<long>(&keeper.name), sizeof(sa_family_t));
  }
  if (result == 0) result = raw_syscall(SYS_listen, 0, kBacklog);
  if (result == 0) {
    keeper.name_length = sizeof keeper.name;
    result = raw_syscall(SYS_getsockname, 0, reinterpret_cast<long>(&keeper.name),
                         reinterpret_cast<long>(&keeper.name_length));
  }
  bare_thread_ready(keeper.thread, result);
  if (result == 0) {
    uint32_t seen = 0;
    while (keeper.thread.stop.load() == 0) {
      uint32_t now = keeper.pokes.load();
      if (now == seen) {
        raw_syscall(SYS_futex, reinterpret_cast<long>(&keeper.pokes), FUTEX_WAIT, seen);
        continue;
      }
      seen = now;
      tidy_connections();
    }
  }
  return bare_thread_exit();
}

void poke() {
  keeper.pokes.fetch_add(1);
  futex_wake(&keeper.pokes, 1);
}

Result<void> start_keeper() {
  keeper.pokes.store(0);
  keeper.starts = 0;
  int error = bare_thread_start(keeper.thread, keep, keeper_stack, kStackSize);
  if (error != 0) return no_process_failure("the thread that children are tied to", error);
  if (keeper.name_length > sizeof LifelineAddress::bytes) {
    return failure(MPC_EINTERNAL, "the kernel chose an unexpectedly long socket name");
  }
  keeper.process = getpid();
  return {};
}

// The signal that a connection sends. It is also what tells the one that is lent from a file of the
// program, which may have closed ours and been given its number.
bool is_ours(int fd) { return fd >= 0 && fcntl(fd, F_GETSIG) == SIGKILL; }

enum class Connected { kYes, kNo, kNobodyListens };

// A connection that sends SIGKILL when it hangs up, to whom is set by F_SETOWN.
Connected connect_to(const LifelineAddress& lifeline, Fd& out_fd) {
  Fd fd = above_standard(Fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)));
  if (!fd) return Connected::kNo;
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(lifeline.bytes), lifeline.length) != 0) {
    return errno == ECONNREFUSED ? Connected::kNobodyListens : Connected::kNo;
  }
  bool armed = fcntl(fd.get(), F_SETSIG, SIGKILL) == 0 &&
               fcntl(fd.get(), F_SETFL, O_ASYNC | O_NONBLOCK) == 0;
  if (!armed) return Connected::kNo;
  out_fd = std::move(fd);
  return Connected::kYes;
}

LifelineAddress address_of_keeper() {
  LifelineAddress address;
  address.length = keeper.name_length;
  memcpy(address.bytes, &keeper.name, address.length);
  return address;
}

// False where it has hung up already.
MPC_CHILD_CODE bool hangs_on(int fd) {
  pollfd hung_up{fd, 0, 0};
  timespec now{};
  return raw_syscall(SYS_ppoll, reinterpret_cast<long>(&hung_up), 1, reinterpret_cast<long>(&now),
                     0, 0) != 1;
}

MPC_CHILD_CODE bool own(int fd) {
  return fd >= 0 && raw_syscall(SYS_fcntl, fd, F_SETOWN, raw_syscall(SYS_getpid)) == 0;
}

void drop_connection() {
  if (is_ours(keeper.connection)) close(keeper.connection);
  keeper.connection = -1;
  keeper.lent_to.store(0);
}

}  // namespace

Result<Tie> lifeline_offer(int memory_fd) {
  if (keeper.process != getpid()) {
    keeper.thread.kept_fd = memory_fd;
    // In a forked child the parent's thread does not exist; its stack was copied and can serve.
    drop_connection();
    if (Result<void> started = start_keeper(); !started) return started.error();
  }
  if (++keeper.starts % kStartsBetweenTidying == 0) poke();
  Tie tie{address_of_keeper(), -1};
  if (keeper.connection >= 0 && keeper.lent_to.load() == 0) {
    if (is_ours(keeper.connection))
      tie.lent = keeper.connection;
    else
      keeper.connection = -1;
  }
  return tie;
}

void lifeline_lend(const Tie& offered, int32_t pid) {
  if (offered.lent >= 0) {
    keeper.lent_to.store(pid);
  } else if (Fd fd; keeper.connection < 0 && connect_to(offered.lifeline, fd) == Connected::kYes) {
    keeper.connection = fd.release();
  }
}

void lifeline_return(int32_t pid) { keeper.lent_to.compare_exchange_strong(pid, 0); }

void lifeline_tidy() {
  if (keeper.process == getpid()) poke();
}

unsigned lifeline_threads() { return keeper.process == getpid() ? 1 : 0; }

void lifeline_end() {
  drop_connection();
  if (keeper.process != getpid()) return;
  keeper.thread.stop.store(1);
  poke();
  bare_thread_join(keeper.thread);
  keeper.process = 0;
}

// Past the C library where it can be: its code is on pages that are not in a fresh child yet.
MPC_CHILD_CODE bool lifeline_tie(const Tie& parent, int32_t parent_pid) {
  Fd fd(parent.lent);
  // It is this process's life from now on, and nothing to be lent to its own children.
  keeper.connection = -1;
  if (!fd && connect_to(parent.lifeline, fd) == Connected::kNobodyListens) return false;
  return lifeline_tie_image(fd.release(), parent_pid);  // open for as long as this process lives
}

MPC_CHILD_CODE bool lifeline_tie_image(int fd, int32_t parent_pid) {
#if MPC_PLANT_FAULT == 5
  return true;
#endif
  if (own(fd)) {
    // The parent may be gone, and its socket's name somebody else's.
    return hangs_on(fd) && raw_syscall(SYS_getppid) == parent_pid;
  }
  // No descriptor is free, or the queue of connections is full: then the parent-death signal has to
  // do, which also fires when only the starting thread ends.
  raw_syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL);
  return raw_syscall(SYS_getppid) == parent_pid;
}

MPC_CHILD_CODE bool lifeline_tie_served(const LifelineAddress& lifeline, int fd) {
  return fd >= 0 ? own(fd) && hangs_on(fd) : lifeline_tie_to(lifeline, fd);
}

namespace {

// The connection, once this process's life hangs on it.
Fd tie_to(const LifelineAddress& lifeline, Fd connection) {
  if (!connection && connect_to(lifeline, connection) != Connected::kYes) return {};
  if (fcntl(connection.get(), F_SETOWN, getpid()) != 0) return {};
  pollfd hung_up{connection.get(), 0, 0};
  return poll(&hung_up, 1, 0) != 1 ? std::move(connection) : Fd();
}

}  // namespace

bool lifeline_tie_to(const LifelineAddress& lifeline, int fd) {
  return tie_to(lifeline, Fd(fd)).release() >= 0;
}

Fd lifeline_tied_to(const LifelineAddress& lifeline) { return tie_to(lifeline, Fd()); }

Fd lifeline_connection(const Tie& offered) {
  Fd fd;
  if (offered.lent >= 0) {
    fd = Fd(fcntl(offered.lent, F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
  } else {
    (void)connect_to(offered.lifeline, fd);
  }
  return fd;
}

// A socket that is connected to nobody, and so never sends the signal. Of a kind that does not
// count as hung up for it.
Fd lifeline_mark() {
  Fd fd = above_standard(Fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)));
  return fd && fcntl(fd.get(), F_SETSIG, SIGKILL) == 0 ? std::move(fd) : Fd();
}

bool lifeline_is_tie(int fd) { return is_ours(fd); }

void lifeline_decline(const Tie& parent) {
  if (parent.lent >= 0) close(parent.lent);
}

namespace {

bool leads_to_keeper(int fd) {
  sockaddr_un name{};
  socklen_t length = sizeof name;
  return getpeername(fd, reinterpret_cast<sockaddr*>(&name), &length) == 0 &&
         length == keeper.name_length && memcmp(&name, &keeper.name, length) == 0;
}

// Takes the signal back if this is the file that ties the child.
bool untie(int fd, int32_t pid) {
  if (!is_ours(fd) || fcntl(fd, F_GETOWN) != pid || !leads_to_keeper(fd)) return false;
  int flags = fcntl(fd, F_GETFL);
  return flags >= 0 && fcntl(fd, F_SETFL, flags & ~O_ASYNC) == 0;
}

}  // namespace

Untied lifeline_untie(int pidfd, int32_t pid) {
  if (keeper.process != getpid()) return Untied::kNotFound;
  if (keeper.lent_to.load() == pid && untie(keeper.connection, pid)) {
    drop_connection();
    return Untied::kYes;
  }
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/fd", pid);
  DIR* folder = opendir(path);
  if (folder == nullptr) return errno == ENOENT ? Untied::kNotFound : Untied::kRefused;
  Untied untied = Untied::kNotFound;
  int error = 0;
  while (const dirent* entry = readdir(folder)) {
    if (entry->d_name[0] == '.') continue;
    long number = strtol(entry->d_name, nullptr, 10);
    Fd theirs(static_cast<int>(syscall(SYS_pidfd_getfd, pidfd, number, 0)));
    if (theirs && untie(theirs.get(), pid)) {
      untied = Untied::kYes;
      break;
    }
    if (theirs || errno == EBADF || errno == ESRCH) continue;  // closed, or gone, meanwhile
    untied = Untied::kRefused;
    error = errno;
    break;
  }
  closedir(folder);
  errno = error;
  return untied;
}

}  // namespace mpc
