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

#include <algorithm>
#include <atomic>
#include <iterator>
#include <utility>

#include "base/child_page.hpp"
#include "base/deadline.hpp"
#include "base/fd.hpp"
#include "os/bare_thread.hpp"
#include "os/futex.hpp"
#include "os/raw_syscall.hpp"

namespace mpc {
namespace {

constexpr size_t kStackSize = size_t{32} * 1024;
constexpr int kBacklog = 4096;
constexpr unsigned kStartsBetweenTidying = 32;
constexpr int64_t kTidyingTime = 1000000000;
// For room in the queue of connections, by who is not a child of whom it connects to.
constexpr time_t kQueueSeconds = 2;

// Holds one listening socket. It has a name in the network namespace of the thread that had it made
// alone: a process that starts children in several has one for each.
struct Keeper : BareThread {
  std::atomic<uint32_t> pokes{0};
  std::atomic<uint32_t> tidied{0};       // the number of pokes that it has seen to
  std::atomic<uint32_t> connections{0};  // that were open then
  long highest = 0;                      // number of a connection
  bool serves = false;
  sockaddr_un name{};
  uint32_t name_length = 0;
};

struct Lifeline {
  pid_t process = 0;  // whose it is: a forked child has none of its own
  unsigned starts = 0;
  Keeper* keeper = nullptr;  // of the network namespace that was met last
  bool unreachable = false;  // by a name, when it was tried last: this thread is in another
  int memory_fd = -1;
  int connection = -1;  // the one that is lent
  std::atomic<int32_t> lent_to{0};
};
MPC_CHILD_PAGE Lifeline lifeline;
constexpr size_t kKeepers = 8;
constinit Keeper keepers[kKeepers];
// Here and not in mappings of their own: each mapping more is work at every fork.
alignas(64) char keeper_stacks[kKeepers][kStackSize];

// Takes in who has connected and drops who has hung up. Accepting matters only because a queue of
// connections that are never accepted would fill up with the dead.
[[gnu::always_inline]] inline void tidy_connections(Keeper& keeper) {
  for (;;) {
    long fd = raw_syscall(SYS_accept4, 0, 0, 0, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) break;
    if (fd > keeper.highest) keeper.highest = fd;
  }
  char byte;
  uint32_t open = 0;
  long last = 0;
  for (long fd = 1; fd <= keeper.highest; ++fd) {
    long n = raw_syscall(SYS_recvfrom, fd, reinterpret_cast<long>(&byte), 1, MSG_DONTWAIT, 0, 0);
    if (n == -EBADF || n == -ENOTSOCK) continue;
    if (n == 0 || n == -ECONNRESET) {
      raw_syscall(SYS_close, fd);
    } else {
      last = fd;
      ++open;
    }
  }
  keeper.highest = last;
  keeper.connections.store(open);
}

MPC_BARE int keep(void* thread) {
  Keeper& keeper = *static_cast<Keeper*>(static_cast<BareThread*>(thread));
  long result = bare_thread_empty_table(keeper);
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
  bare_thread_ready(keeper, result);
  if (result == 0) {
    uint32_t seen = 0;
    while (keeper.stop.load() == 0) {
      uint32_t now = keeper.pokes.load();
      if (now == seen) {
        raw_syscall(SYS_futex, reinterpret_cast<long>(&keeper.pokes), FUTEX_WAIT, seen);
        continue;
      }
      seen = now;
      tidy_connections(keeper);
      keeper.tidied.store(now);
      raw_syscall(SYS_futex, reinterpret_cast<long>(&keeper.tidied), FUTEX_WAKE, 1);
    }
  }
  return bare_thread_exit();
}

void poke(Keeper& keeper) {
  keeper.pokes.fetch_add(1);
  futex_wake(&keeper.pokes, 1);
}

Result<void> start_keeper(Keeper& keeper) {
  keeper.kept_fd = lifeline.memory_fd;
  keeper.pokes.store(0);
  keeper.tidied.store(0);
  keeper.highest = 0;
  int error = bare_thread_start(keeper, keep, keeper_stacks[&keeper - keepers], kStackSize);
  if (error != 0) return no_process_failure("the thread that children are tied to", error);
  if (keeper.name_length > sizeof LifelineAddress::bytes) {
    return failure(MPC_EINTERNAL, "the kernel chose an unexpectedly long socket name");
  }
  keeper.serves = true;
  return {};
}

void end_keeper(Keeper& keeper) {
  keeper.stop.store(1);
  poke(keeper);
  bare_thread_join(keeper);
  keeper.serves = false;
}

// Whether nobody is tied to it but who is about to connect.
bool is_idle(Keeper& keeper) {
  poke(keeper);
  uint32_t wanted = keeper.pokes.load();
  Deadline deadline = Deadline::after(kTidyingTime);
  for (uint32_t tidied; static_cast<int32_t>((tidied = keeper.tidied.load()) - wanted) < 0;) {
    int64_t left = deadline.left(kTidyingTime);
    if (left == 0) return false;
    futex_wait(&keeper.tidied, tidied, left);
  }
  return keeper.connections.load() == 0;
}

// The signal that a connection sends. It is also what tells the one that is lent from a file of the
// program, which may have closed ours and been given its number.
bool is_ours(int fd) { return fd >= 0 && fcntl(fd, F_GETSIG) == SIGKILL; }

enum class Connected { kYes, kNo, kNobodyListens, kQueueFull };

// A connection that sends SIGKILL when it hangs up, to whom is set by F_SETOWN.
Connected connect_to(const LifelineAddress& lifeline, Fd& out_fd, bool waits = false) {
  int type = SOCK_STREAM | SOCK_CLOEXEC | (waits ? 0 : SOCK_NONBLOCK);
  Fd fd = above_standard(Fd(socket(AF_UNIX, type, 0)));
  if (!fd) return Connected::kNo;
  if (waits) {
    timeval patience{kQueueSeconds, 0};
    setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  }
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(lifeline.bytes), lifeline.length) != 0) {
    return errno == ECONNREFUSED ? Connected::kNobodyListens
           : errno == EAGAIN     ? Connected::kQueueFull
                                 : Connected::kNo;
  }
  bool armed = fcntl(fd.get(), F_SETSIG, SIGKILL) == 0 &&
               fcntl(fd.get(), F_SETFL, O_ASYNC | O_NONBLOCK) == 0;
  if (!armed) return Connected::kNo;
  out_fd = std::move(fd);
  return Connected::kYes;
}

LifelineAddress address_of(const Keeper& keeper) {
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
  if (is_ours(lifeline.connection)) close(lifeline.connection);
  lifeline.connection = -1;
  lifeline.lent_to.store(0);
}

bool reaches(const Keeper& keeper) {
  Fd fd;
  return connect_to(address_of(keeper), fd) != Connected::kNobodyListens;
}

// Makes room, and lets network namespaces go that nobody of this process's is in any more.
void end_idle_keepers() {
  if (lifeline.lent_to.load() == 0) drop_connection();
  for (Keeper& keeper : keepers) {
    if (keeper.serves && is_idle(keeper)) end_keeper(keeper);
  }
}

// The keeper that children of this thread reach.
Result<void> choose_keeper() {
  if (lifeline.keeper != nullptr && reaches(*lifeline.keeper)) return {};
  lifeline.keeper = nullptr;
  for (Keeper& keeper : keepers) {
    if (keeper.serves && reaches(keeper)) lifeline.keeper = &keeper;
  }
  if (lifeline.keeper != nullptr) return {};
  end_idle_keepers();
  for (Keeper& keeper : keepers) {
    if (keeper.serves) continue;
    Result<void> started = start_keeper(keeper);
    if (started) lifeline.keeper = &keeper;
    return started;
  }
  return failure(MPC_ESYSTEM,
                 "this process has children from %zu other network namespaces, and can have none "
                 "from one more; wait until those from one of them have ended",
                 kKeepers);
}

Result<void> find_keeper() {
  Result<void> chosen = choose_keeper();
  lifeline.unreachable = !chosen;
  return chosen;
}

}  // namespace

Result<Tie> lifeline_offer(int memory_fd) {
  lifeline.memory_fd = memory_fd;
  if (lifeline.process != getpid()) {
    // In a forked child the parent's threads do not exist; their stacks were copied and can serve.
    drop_connection();
    for (Keeper& keeper : keepers) keeper.serves = false;
    lifeline.keeper = nullptr;
    lifeline.starts = 0;
    lifeline.process = getpid();
  }
  bool now_and_then = ++lifeline.starts % kStartsBetweenTidying == 0;
  if (now_and_then || lifeline.unreachable || lifeline.keeper == nullptr) {
    Result<void> found = find_keeper();
    if (!found && lifeline_threads() == 0) return found.error();
  }
  if (now_and_then) lifeline_tidy();
  Tie tie;
  if (lifeline.keeper != nullptr) tie.lifeline = address_of(*lifeline.keeper);
  if (lifeline.connection >= 0 && lifeline.lent_to.load() == 0) {
    if (is_ours(lifeline.connection))
      tie.lent = lifeline.connection;
    else
      lifeline.connection = -1;
  }
  return tie;
}

Result<LifelineAddress> lifeline_address(int memory_fd) {
  lifeline.unreachable = true;
  Result<Tie> tie = lifeline_offer(memory_fd);
  if (!tie) return tie.error();
  if (Result<void> found = find_keeper(); !found) return found.error();
  return address_of(*lifeline.keeper);
}

void lifeline_lend(const Tie& offered, int32_t pid) {
  if (offered.lent >= 0) {
    lifeline.lent_to.store(pid);
    return;
  }
  if (lifeline.connection >= 0) return;
  Fd fd;
  Connected connected = connect_to(offered.lifeline, fd);
  if (connected == Connected::kYes) lifeline.connection = fd.release();
  if (connected == Connected::kNobodyListens) lifeline.unreachable = true;
}

void lifeline_return(int32_t pid) { lifeline.lent_to.compare_exchange_strong(pid, 0); }

void lifeline_tidy() {
  if (lifeline.process != getpid()) return;
  for (Keeper& keeper : keepers) {
    if (keeper.serves) poke(keeper);
  }
}

unsigned lifeline_threads() {
  if (lifeline.process != getpid()) return 0;
  unsigned threads = 0;
  for (const Keeper& keeper : keepers) threads += keeper.serves ? 1 : 0;
  return threads;
}

void lifeline_end() {
  drop_connection();
  if (lifeline.process != getpid()) return;
  for (Keeper& keeper : keepers) {
    if (keeper.serves) end_keeper(keeper);
  }
  lifeline.keeper = nullptr;
  lifeline.process = 0;
}

// Past the C library where it can be: its code is on pages that are not in a fresh child yet.
MPC_CHILD_CODE bool lifeline_tie(const Tie& parent, int32_t parent_pid) {
  Fd fd(parent.lent);
  // It is this process's life from now on, and nothing to be lent to its own children.
  lifeline.connection = -1;
  if (!fd) (void)connect_to(parent.lifeline, fd);
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
  // No descriptor is free, the queue of connections is full, or the name is not of this network
  // namespace: then the parent-death signal has to do, which also fires when only the starting
  // thread ends.
  raw_syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL);
  return raw_syscall(SYS_getppid) == parent_pid;
}

MPC_CHILD_CODE bool lifeline_tie_served(const LifelineAddress& lifeline, int fd) {
  return fd >= 0 ? own(fd) && hangs_on(fd) : lifeline_tie_to(lifeline, fd);
}

namespace {

// The connection, once this process's life hangs on it.
Fd tie_to(const LifelineAddress& lifeline, Fd connection) {
  if (!connection && connect_to(lifeline, connection, true) != Connected::kYes) return {};
  if (fcntl(connection.get(), F_SETOWN, getpid()) != 0) return {};
  pollfd hung_up{connection.get(), 0, 0};
  return poll(&hung_up, 1, 0) != 1 ? std::move(connection) : Fd();
}

}  // namespace

bool lifeline_tie_to(const LifelineAddress& lifeline, int fd) {
  return tie_to(lifeline, Fd(fd)).release() >= 0;
}

Fd lifeline_tied_to(const LifelineAddress& lifeline) { return tie_to(lifeline, Fd()); }

Result<Fd> lifeline_connection(const Tie& offered) {
  if (offered.lent >= 0) return Fd(fcntl(offered.lent, F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
  Fd fd;
  Connected connected = connect_to(offered.lifeline, fd);
  if (connected == Connected::kNo || connected == Connected::kNobodyListens) {
    if (Result<void> found = find_keeper(); !found) return found.error();
    connected = connect_to(address_of(*lifeline.keeper), fd);
  }
  if (connected == Connected::kQueueFull) {
    (void)is_idle(*lifeline.keeper);  // it takes in who waits
    connected = connect_to(address_of(*lifeline.keeper), fd);
  }
  if (connected == Connected::kQueueFull) {
    return failure(MPC_ESYSTEM,
                   "no child more can be tied to this process: it has as many as its limit of "
                   "descriptors and net.core.somaxconn allow; raise one (ulimit -n), or use fork");
  }
  return fd;
}

// A socket that is connected to nobody, and so never sends the signal. Of a kind that does not
// count as hung up for it.
Result<Fd> lifeline_mark() {
  Fd fd = above_standard(Fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)));
  if (!fd || fcntl(fd.get(), F_SETSIG, SIGKILL) != 0) {
    return system_failure("the mark of a detached child", errno);
  }
  return fd;
}

bool lifeline_is_tie(int fd) { return is_ours(fd); }

void lifeline_decline(const Tie& parent) {
  if (parent.lent >= 0) close(parent.lent);
}

namespace {

bool leads_to_keeper(int fd) {
  sockaddr_un name{};
  socklen_t length = sizeof name;
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&name), &length) != 0) return false;
  return std::any_of(std::begin(keepers), std::end(keepers), [&](const Keeper& keeper) {
    return keeper.serves && length == keeper.name_length &&
           memcmp(&name, &keeper.name, length) == 0;
  });
}

// Takes the signal back if this is the file that ties the child.
bool untie(int fd, int32_t pid) {
  if (!is_ours(fd) || fcntl(fd, F_GETOWN) != pid || !leads_to_keeper(fd)) return false;
  int flags = fcntl(fd, F_GETFL);
  return flags >= 0 && fcntl(fd, F_SETFL, flags & ~O_ASYNC) == 0;
}

}  // namespace

Untied lifeline_untie(int pidfd, int32_t pid) {
  if (lifeline.process != getpid()) return Untied::kNotFound;
  if (lifeline.lent_to.load() == pid && untie(lifeline.connection, pid)) {
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
