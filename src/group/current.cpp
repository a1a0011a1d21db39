// SPDX-License-Identifier: Apache-2.0
// A fork by the program is noticed by a page that the kernel empties in the child (MADV_WIPEONFORK,
// Linux 4.14), which also sees a bare clone() and costs each call one load.
#include "group/current.hpp"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <new>
#include <utility>

#include "base/child_page.hpp"
#include "base/deadline.hpp"
#include "base/fd.hpp"
#include "base/local_lock.hpp"
#include "group/attachment.hpp"
#include "group/participant.hpp"
#include "os/cpu.hpp"
#include "os/raw_syscall.hpp"
#include "os/spare_descriptor.hpp"

namespace mpc {
namespace {

constexpr size_t kMarkSize = 4096;

struct Current {
  GroupChoice choice;
  std::atomic<Group*> group{nullptr};
  alignas(Group) unsigned char room[sizeof(Group)] = {};
  uint32_t* mark = nullptr;  // not 0 in the process that wrote it
  pid_t process = 0;         // for kernels that refuse to wipe the page
  std::atomic<bool> bootstrapping{false};
};
MPC_CHILD_PAGE Current current;

MPC_CHILD_CODE bool mark_process() {
  if (current.mark == nullptr) {
    void* page =
        mmap(nullptr, kMarkSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) return false;
    if (madvise(page, kMarkSize, MADV_WIPEONFORK) == 0) {
      current.mark = static_cast<uint32_t*>(page);
    } else {
      munmap(page, kMarkSize);
    }
  }
  if (current.mark != nullptr) *current.mark = 1;
  // Past the C library, whose code is not in a fresh child yet.
  current.process = static_cast<pid_t>(raw_syscall(SYS_getpid));
  return true;
}

uint64_t random_id() {
  uint64_t id = 0;
  while (id == 0) {
    if (getrandom(&id, sizeof id, 0) != sizeof id && errno != EINTR) {
      id = (static_cast<uint64_t>(getpid()) << 32) ^ static_cast<uint64_t>(monotonic_ns());
    }
  }
  return id;
}

// REQUIRES: LocalLock.
Result<Group*> make_group() {
  uint64_t wanted =
      current.choice.address_space != 0 ? current.choice.address_space : kDefaultGroup;
  if (wanted < kLeastGroup) wanted = kLeastGroup;
  Result<Mapping> mapping = map_group_memory(wanted, kLeastGroup);
  if (!mapping) return mapping.error();
  Plan plan = plan_for(mapping->size);
  uint64_t limit =
      current.choice.memory_limit != 0 ? current.choice.memory_limit : usable_memory() / 2;
  limit = std::max(limit, 4 * kRegionSize);
  limit = std::min(limit, plan.regions * kRegionSize);
  int fd = mapping->fd;
  // The words at the front must be backed before anybody meets them.
  if (!populate(mapping->base, kHeaderSize) || !mark_process()) {
    unmap_group_memory(*mapping);
    if (fd >= 0) close(fd);
    return failure(MPC_ENOMEM, "the system has no memory for a group");
  }
  Group* group = new (current.room) Group(Group::format(*mapping, random_id(), limit));
  if (fd >= 0) spare_set(fd);
  if (Result<void> joined = participant_join(*group, "MainProcess"); !joined) {
    unmap_group_memory(group->mapping());
    spare_clear();
    if (fd >= 0) close(fd);
    return joined.error();
  }
  current.group.store(group);
  return group;
}

// In a child of the program's own fork: a participant of its own, attached to what it inherited.
Result<Group*> join_after_fork() {
  Group* group = current.group.load();
  {
    LocalLock lock;
    if (!forked()) return group;  // another thread was faster
    group->renew_private();
    if (Result<void> joined = participant_join(*group, "MainProcess"); !joined) {
      return joined.error();
    }
    mark_process();
  }
  attachments_renew(*group);
  return group;
}

Error not_begun() {
  return failure(MPC_EBOOTSTRAP,
                 "this process is a child that has not begun yet; a constructor of the program "
                 "cannot use the library there, its functions can");
}

// What this process holds of a group that it is no participant of, or not any more.
// REQUIRES: LocalLock.
void let_go_of(Group& group) {
  Mapping mapping = group.mapping();
  spare_clear();
  if (same_file(mapping.fd, mapping.device, mapping.inode)) close(mapping.fd);
  unmap_group_memory(mapping);
  if (current.mark != nullptr) munmap(std::exchange(current.mark, nullptr), kMarkSize);
  group.~Group();
}

}  // namespace

bool forked() {
  return current.mark != nullptr ? *const_cast<volatile uint32_t*>(current.mark) == 0
                                 : current.process != getpid();
}

Result<void> choose_group(const GroupChoice& choice) {
  LocalLock lock;
  if (current.group.load() != nullptr) {
    return failure(MPC_ESTATE,
                   "this process belongs to a group already; configure it before anything else");
  }
  current.choice = choice;
  return {};
}

MPC_CHILD_CODE void set_bootstrapping(bool bootstrapping) {
  current.bootstrapping.store(bootstrapping);
}

Result<Group*> current_group() {
  if (current.bootstrapping.load(std::memory_order_relaxed)) return not_begun();
  Group* group = current.group.load(std::memory_order_acquire);
  if (group != nullptr) {
    if (!forked()) return group;
    return join_after_fork();
  }
  LocalLock lock;
  group = current.group.load();
  if (group != nullptr) return group;
  return make_group();
}

MPC_CHILD_CODE Result<Group*> adopt_group(int fd, uintptr_t base, uint64_t size, Owner reserved,
                                          Owner starter) {
  Result<Mapping> mapping = attach_group_memory(fd, base, size);
  if (!mapping) return mapping.error();
  Result<Group> opened = Group::open(*mapping);
  if (!opened) {
    unmap_group_memory(*mapping);
    return opened.error();
  }
  Group* group = new (current.room) Group(std::move(*opened));
  spare_set(mapping->fd);
  if (!mark_process() || !participant_activate(*group, reserved, starter)) {
    spare_clear();
    close(mapping->fd);
    group->~Group();
    unmap_group_memory(*mapping);
    return failure(MPC_ESTATE, "who started this process is dead");
  }
  current.group.store(group);
  return group;
}

Result<void> may_join_group() {
  if (current.bootstrapping.load(std::memory_order_relaxed)) return not_begun();
  if (current.group.load() == nullptr) return {};
  return failure(MPC_ESTATE,
                 "this process belongs to a group already; join the other one before anything "
                 "else, or leave this one first by mpc_group_leave()");
}

Result<Group*> join_group(int fd, uintptr_t base, uint64_t size) {
  Fd file(fd);
  LocalLock lock;
  // Another thread may have made a group meanwhile.
  if (Result<void> may = may_join_group(); !may) return may.error();
  Result<Mapping> mapping = attach_group_memory_there(file.release(), base, size);
  if (!mapping) return mapping.error();
  Result<Group> opened = Group::open(*mapping);
  if (!opened) {
    close(mapping->fd);
    unmap_group_memory(*mapping);
    return opened.error();
  }
  Group* group = new (current.room) Group(std::move(*opened));
  spare_set(mapping->fd);
  Result<void> joined = mark_process() ? participant_join(*group, "MainProcess")
                                       : failure(MPC_ENOMEM, "the system has no memory for a page");
  if (!joined) {
    let_go_of(*group);
    return joined.error();
  }
  current.group.store(group);
  return group;
}

MPC_CHILD_CODE Group* group_if_any() { return current.group.load(std::memory_order_acquire); }

MPC_CHILD_CODE bool become_child(Group& group, Owner reserved, Owner starter) {
  group.renew_private();
  return mark_process() && participant_activate(group, reserved, starter);
}

void leave_group() {
  LocalLock lock;
  Group* group = current.group.load();
  if (group == nullptr) return;
  participant_leave(*group);
  current.group.store(nullptr);
  let_go_of(*group);
}

}  // namespace mpc
