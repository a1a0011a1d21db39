// SPDX-License-Identifier: Apache-2.0
#include "process/listen.hpp"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <climits>
#include <string>

#include "base/deadline.hpp"
#include "base/fd.hpp"
#include "base/local_lock.hpp"
#include "group/memory_descriptor.hpp"
#include "os/door.hpp"
#include "process/finalizer.hpp"

namespace mpc {
namespace {

constexpr int64_t kPatience = 1000000000;
constexpr long kTick = 2000000;

struct Listening {
  pthread_mutex_t mutex;
  pid_t process;  // in a forked child the mutex may be held by a thread that does not exist there
  uint64_t finalizer;
  // What is to be removed in the end: an absolute path, since the working directory may change, and
  // which file it was. Empty: nothing.
  dev_t device;
  ino_t inode;
  char path[PATH_MAX + sizeof(sockaddr_un)];
};
Listening listening{PTHREAD_MUTEX_INITIALIZER, 0, 0, 0, 0, ""};

class Turn {
 public:
  Turn() {
    {
      LocalLock lock;
      if (listening.process != getpid()) {
        listening.mutex = PTHREAD_MUTEX_INITIALIZER;
        listening.process = getpid();
        listening.path[0] = '\0';
      }
    }
    pthread_mutex_lock(&listening.mutex);
  }
  ~Turn() { pthread_mutex_unlock(&listening.mutex); }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
};

// To find that nobody listens at a path, to remove it and to listen there are three steps: who
// takes them holds the lock of the folder, so that nobody removes what another has just made. The
// kernel lets go of it when its holder is killed.
class FolderLock {
 public:
  static Result<FolderLock> of(const char* path) {
    std::string folder(path);
    size_t slash = folder.rfind('/');
    folder = slash == std::string::npos ? "." : folder.substr(0, slash + 1);
    Fd fd = above_standard(Fd(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)));
    if (!fd) {
      int error = errno;
      return system_failure(("open of the folder of " + std::string(path)).c_str(), error);
    }
    Deadline deadline = Deadline::after(kPatience);
    while (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno == EINTR) continue;
      if (errno != EWOULDBLOCK) break;  // a file system without: then it has to go without
      if (deadline.past()) {
        return failure(MPC_ETIMEDOUT,
                       "somebody holds the lock (flock) of the folder of %s; use a folder of your "
                       "own",
                       path);
      }
      timespec tick{0, kTick};
      nanosleep(&tick, nullptr);
    }
    return FolderLock(std::move(fd));
  }
  FolderLock(FolderLock&&) = default;
  ~FolderLock() {
    // A child that was forked meanwhile would keep it.
    if (fd_) flock(fd_.get(), LOCK_UN);
  }

 private:
  explicit FolderLock(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};

Error somebody_listens(const char* path) {
  return failure(MPC_ESTATE, "somebody listens at %s already; choose another path", path);
}

// Removes what a process that was killed has left. REQUIRES: the FolderLock.
Result<void> clear_way(const SocketAddress& address, const char* path) {
  struct stat st;
  if (lstat(path, &st) != 0) {
    if (errno == ENOENT) return {};
    int error = errno;
    return system_failure((std::string("lstat of ") + path).c_str(), error);
  }
  if (!S_ISSOCK(st.st_mode) || st.st_uid != geteuid()) {
    return failure(MPC_ESTATE, "%s is there already and is %s; choose another path", path,
                   S_ISSOCK(st.st_mode) ? "another user's" : "no socket");
  }
  Fd probe(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!probe) return system_failure("socket", errno);
  if (connect(probe.get(), reinterpret_cast<const sockaddr*>(&address.name), address.length) == 0) {
    return somebody_listens(path);
  }
  if (errno == ENOENT) return {};
  if (errno != ECONNREFUSED) return somebody_listens(path);
  if (unlink(path) != 0 && errno != ENOENT) {
    int error = errno;
    return system_failure((std::string("unlink of ") + path).c_str(), error);
  }
  return {};
}

Result<std::string> absolute(const char* path) {
  if (path[0] == '/') return std::string(path);
  char folder[PATH_MAX];
  if (getcwd(folder, sizeof folder) == nullptr) return system_failure("getcwd", errno);
  return std::string(folder) + "/" + path;
}

// REQUIRES: the FolderLock: what is there is what was made.
void remember(const std::string& path) {
  struct stat st;
  if (lstat(path.c_str(), &st) != 0 || path.size() >= sizeof listening.path) return;
  listening.device = st.st_dev;
  listening.inode = st.st_ino;
  memcpy(listening.path, path.c_str(), path.size() + 1);
}

// While this process listens no other file gets the socket's inode.
void remove_name() {
  struct stat st;
  const char* path = listening.path;
  if (path[0] != '\0' && lstat(path, &st) == 0 && st.st_dev == listening.device &&
      st.st_ino == listening.inode) {
    unlink(path);
  }
  listening.path[0] = '\0';
}

// REQUIRES: the FolderLock where the address is a path.
Result<void> open_at(Group& group, const SocketAddress& address, const char* path) {
  Result<Fd> memory = memory_descriptor(group, STDERR_FILENO + 1);
  if (!memory) return memory.error();
  Greeting greeting;
  greeting.layout_version = kLayoutVersion;
  greeting.owner = getpid();
  greeting.group = group.header().id;
  int error = door_open(address, memory->get(), greeting);
  if (error == EADDRINUSE) return somebody_listens(path);
  if (error != 0) {
    return system_failure((std::string("the socket at ") + path).c_str(), error);
  }
  return {};
}

Result<void> open_path(Group& group, const SocketAddress& address, const char* path) {
  Result<std::string> full = absolute(path);
  if (!full) return full.error();
  Result<FolderLock> lock = FolderLock::of(path);
  if (!lock) return lock.error();
  if (Result<void> cleared = clear_way(address, path); !cleared) return cleared;
  if (Result<void> opened = open_at(group, address, path); !opened) return opened;
  remember(*full);
  return {};
}

// The path goes first: nobody shall meet one at which nobody listens.
void at_exit(void*) {
  Turn turn;
  if (door_is_open()) remove_name();
}

}  // namespace

Result<void> group_listen(Group& group, const char* path) {
  Turn turn;
  if (door_is_open()) {
    return failure(MPC_ESTATE,
                   "this process listens already; end that first by mpc_group_unlisten()");
  }
  Result<SocketAddress> address = socket_address(path);
  if (!address) return address.error();
  Result<void> opened =
      address->abstract() ? open_at(group, *address, path) : open_path(group, *address, path);
  if (!opened) return opened;
  listening.finalizer = finalizer_add(at_exit, nullptr, 0);
  return {};
}

Result<void> group_unlisten() {
  Turn turn;
  if (!door_is_open()) return {};
  remove_name();
  if (Result<void> closed = door_close(); !closed) return closed;
  finalizer_cancel(listening.finalizer);
  return {};
}

}  // namespace mpc
