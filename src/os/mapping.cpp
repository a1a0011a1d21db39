// SPDX-License-Identifier: Apache-2.0
#include "os/mapping.hpp"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>

#include "base/child_page.hpp"
#include "base/fd.hpp"
#include "os/file_status.hpp"
#include "os/raw_syscall.hpp"

namespace mpc {
namespace {

constexpr int kPopulateWrite = 23;  // MADV_POPULATE_WRITE, since 5.14
constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
constexpr size_t kPage = 4096;  // the least page size; larger ones only round more

uint64_t limit_of(__rlimit_resource_t resource) {
  rlimit limit;
  if (getrlimit(resource, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return UINT64_MAX;
  return limit.rlim_cur;
}

uint64_t hard_limit_of(__rlimit_resource_t resource) {
  rlimit limit;
  if (getrlimit(resource, &limit) != 0 || limit.rlim_max == RLIM_INFINITY) return UINT64_MAX;
  return limit.rlim_max;
}

// Going beyond the soft limit is a fatal signal, and the limit is the whole process's: so there it
// is done by a process that has none, made for nothing else. No C library in it, and no signal when
// it ends.
bool set_size(int fd, uint64_t size) {
  if (size <= limit_of(RLIMIT_FSIZE)) return ftruncate(fd, static_cast<off_t>(size)) == 0;
  long helper = raw_syscall(SYS_clone, 0, 0, 0, 0, 0);
  if (helper == 0) {
    rlimit limit{};
    raw_syscall(SYS_prlimit64, 0, RLIMIT_FSIZE, 0, reinterpret_cast<long>(&limit));
    limit.rlim_cur = limit.rlim_max;
    raw_syscall(SYS_prlimit64, 0, RLIMIT_FSIZE, reinterpret_cast<long>(&limit), 0);
    raw_syscall(SYS_exit_group, -raw_syscall(SYS_ftruncate, fd, static_cast<long>(size)));
  }
  if (helper < 0) {
    errno = static_cast<int>(-helper);
    return false;
  }
  int status = 0;
  while (waitpid(static_cast<pid_t>(helper), &status, __WCLONE) < 0 && errno == EINTR) {
  }
  errno = WIFEXITED(status) ? WEXITSTATUS(status) : EIO;
  return errno == 0;
}

// The inode of the file mapped at an address: field 5 of its line in /proc/self/maps.
unsigned long inode_at(const void* address) {
  Fd fd(open("/proc/self/maps", O_RDONLY | O_CLOEXEC));
  if (!fd) return 0;
  std::string text;
  char buffer[4096];
  ssize_t n;
  while ((n = read(fd.get(), buffer, sizeof buffer)) > 0)
    text.append(buffer, static_cast<size_t>(n));
  char start[32];
  snprintf(start, sizeof start, "%lx-", reinterpret_cast<unsigned long>(address));
  size_t line = text.compare(0, std::char_traits<char>::length(start), start) == 0
                    ? 0
                    : text.find(std::string("\n") + start);
  if (line == std::string::npos) return 0;
  unsigned long inode = 0;
  sscanf(text.c_str() + line, "%*s %*s %*s %*s %lu", &inode);
  return inode;
}

MPC_CHILD_CODE char* map_at(uintptr_t address, uint64_t size, int fd) {
  int flags = MAP_SHARED | MAP_NORESERVE | (fd < 0 ? MAP_ANONYMOUS : 0) |
              (address != 0 ? MAP_FIXED_NOREPLACE : 0);
  void* hint = reinterpret_cast<void*>(address);
  void* base = mmap(hint, size, PROT_NONE, flags, fd, 0);
  if (base == MAP_FAILED) return nullptr;
  if (address != 0 && base != hint) {  // a kernel that takes the address for a hint
    munmap(base, size);
    errno = EEXIST;
    return nullptr;
  }
  return static_cast<char*>(base);
}

char* map_somewhere(uint64_t size, int fd) {
  char* base = sizeof(void*) == 8 ? map_at(kGroupAddress, size, fd) : nullptr;
  return base != nullptr ? base : map_at(0, size, fd);
}

// Makes a mapping that was made without access usable.
MPC_CHILD_CODE Result<void> open_mapping(char* base, uint64_t size) {
  munlock(base, size);
  if (mprotect(base, size, PROT_READ | PROT_WRITE) != 0) {
    int error = errno;
    munmap(base, size);
    return system_failure("mprotect of group memory", error);
  }
  madvise(base, size, MADV_DONTDUMP);
  return {};
}

Error no_room(uintptr_t base, uint64_t size, int error) {
  Error failed = system_failure("mmap of group memory", error);
  char where[64];
  snprintf(where, sizeof where, ": %llu MiB from %#llx on",
           static_cast<unsigned long long>(size >> 20), static_cast<unsigned long long>(base));
  failed.message += where;
  failed.message += error == EEXIST
                        ? " are not free here; join before something else is mapped there"
                        : " do not fit; raise RLIMIT_AS, or give the group less address space "
                          "(mpc_group_configure)";
  return failed;
}

MPC_CHILD_CODE Result<Mapping> attach(int fd, uintptr_t base, uint64_t size, bool anywhere) {
  Fd file = above_standard(Fd(fd));
  struct stat st;
  if (!file) return system_failure("moving the descriptor of group memory", errno);
  if (int error = file_status(file.get(), st); error != 0) {
    return system_failure("fstat of group memory", error);
  }
  if (static_cast<uint64_t>(st.st_size) != size) {
    return failure(MPC_EGROUP, "the descriptor that was handed on is not the group's memory");
  }
  char* at = map_at(base, size, file.get());
  if (at == nullptr && anywhere) at = map_at(0, size, file.get());
  if (at == nullptr) return no_room(base, size, errno);
  if (Result<void> opened = open_mapping(at, size); !opened) return opened.error();
  fcntl(file.get(), F_SETFD, FD_CLOEXEC);
  return Mapping{at, size, file.release(), st.st_dev, st.st_ino};
}

}  // namespace

Result<Mapping> map_group_memory(uint64_t wanted, uint64_t least) {
  uint64_t address_space = limit_of(RLIMIT_AS);
  uint64_t size = wanted;
  while (address_space != UINT64_MAX && size > least && size > address_space / 4) size /= 2;

  uint64_t file_size = hard_limit_of(RLIMIT_FSIZE);
  Fd fd;
  if (file_size >= least) {
    while (size > file_size) size /= 2;
    fd = above_standard(Fd(memfd_create("libmpc", MFD_CLOEXEC | MFD_ALLOW_SEALING)));
    if (!fd) return system_failure("memfd_create", errno);
  }

  char* base = nullptr;
  int error = ENOMEM;
  for (; size >= least; size /= 2) {
    if (fd && !set_size(fd.get(), size)) return system_failure("ftruncate of group memory", errno);
    base = map_somewhere(size, fd.get());
    if (base != nullptr) break;
    error = errno;
  }
  if (base == nullptr) {
    Error failed = system_failure("mmap", error);
    failed.message += ": no room for group memory; raise RLIMIT_AS or RLIMIT_MEMLOCK";
    return failed;
  }
  if (Result<void> opened = open_mapping(base, size); !opened) return opened.error();

  Mapping mapping;
  mapping.base = base;
  mapping.size = size;
  if (fd) {
    fcntl(fd.get(), F_ADD_SEALS, kSeals);
    struct stat st;
    if (fstat(fd.get(), &st) == 0) {
      mapping.device = st.st_dev;
      mapping.inode = st.st_ino;
    }
    mapping.fd = fd.release();
  } else {
    mapping.inode = inode_at(base);
  }
  return mapping;
}

MPC_CHILD_CODE Result<Mapping> attach_group_memory(int fd, uintptr_t base, uint64_t size) {
  return attach(fd, base, size, true);
}

Result<Mapping> attach_group_memory_there(int fd, uintptr_t base, uint64_t size) {
  return attach(fd, base, size, false);
}

bool is_sealed_memory(int fd, uint64_t& out_size) {
  struct stat st;
  struct statfs fs;
  int seals = fcntl(fd, F_GET_SEALS);
  if (seals < 0 || (seals & kSeals) != kSeals || (seals & F_SEAL_WRITE) != 0) return false;
  // One in huge pages may have none to give when it is touched, which is a fatal signal.
  if (fstat(fd, &st) != 0 || fstatfs(fd, &fs) != 0 || fs.f_type == HUGETLBFS_MAGIC) return false;
  out_size = static_cast<uint64_t>(st.st_size);
  return true;
}

void unmap_group_memory(Mapping& mapping) {
  if (mapping.base != nullptr) munmap(mapping.base, mapping.size);
  mapping = Mapping{};
}

bool populate(void* address, size_t size) {
  auto first = reinterpret_cast<uintptr_t>(address) & ~(kPage - 1);
  uintptr_t last = (reinterpret_cast<uintptr_t>(address) + size + kPage - 1) & ~(kPage - 1);
  while (madvise(reinterpret_cast<void*>(first), last - first, kPopulateWrite) != 0) {
    if (errno == EINTR || errno == EAGAIN) continue;
    if (errno != EINVAL) return false;
    // An older kernel: each page is touched by an update that changes nothing, since a neighbour's
    // data may be on it.
    for (uintptr_t page = first; page < last; page += kPage) {
      reinterpret_cast<std::atomic<unsigned char>*>(page)->fetch_or(0, std::memory_order_relaxed);
    }
    return true;
  }
  return true;
}

void give_back(void* address, size_t size) {
  uintptr_t first = (reinterpret_cast<uintptr_t>(address) + kPage - 1) & ~(kPage - 1);
  uintptr_t last = (reinterpret_cast<uintptr_t>(address) + size) & ~(kPage - 1);
  if (last > first) madvise(reinterpret_cast<void*>(first), last - first, MADV_REMOVE);
}

}  // namespace mpc
