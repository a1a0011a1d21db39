// SPDX-License-Identifier: Apache-2.0
#include "group/memory_descriptor.hpp"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "os/memory_file.hpp"
#include "os/spare_descriptor.hpp"

namespace mpc {
namespace {

Fd fetched(Group& group) {
  const Mapping& memory = group.mapping();
  if (memory.inode == 0) return {};
  if (Fd own = open_memory_file_of(getpid(), memory.device, memory.inode)) return own;
  uint32_t high = group.header().participants_high.load();
  for (uint32_t index = 0; index < high; ++index) {
    ParticipantWord now{group.participant(index).state.load()};
    if (now.state() != ParticipantState::kLive) continue;
    Fd fd = open_memory_file_of(static_cast<int32_t>(now.by()), memory.device, memory.inode);
    if (fd) return fd;
  }
  return {};
}

}  // namespace

void move_memory_up(Group& group, int least) {
  Mapping& memory = group.mapping();
  if (!same_file(memory.fd, memory.device, memory.inode)) return;
  int moved = fcntl(memory.fd, F_DUPFD_CLOEXEC, least);
  if (moved < 0) return;
  spare_clear();
  close(memory.fd);
  memory.fd = moved;
}

Result<Fd> memory_descriptor(Group& group, int least) {
  const Mapping& memory = group.mapping();
  Fd theirs;
  int fd = memory.fd;
  if (!same_file(fd, memory.device, memory.inode)) {
    theirs = fetched(group);
    fd = theirs.get();
  }
  if (fd < 0) {
    return failure(MPC_ESYSTEM,
                   "nobody has a descriptor of the group's memory, which a fresh process needs: it "
                   "was closed, or there never was one under this hard RLIMIT_FSIZE; close only "
                   "descriptors that you opened, or use fork");
  }
  Fd duplicate(fcntl(fd, F_DUPFD_CLOEXEC, least));
  if (!duplicate) return system_failure("fcntl(F_DUPFD_CLOEXEC)", errno);
  return duplicate;
}

}  // namespace mpc
