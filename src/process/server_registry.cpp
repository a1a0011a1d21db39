// SPDX-License-Identifier: Apache-2.0
#include "process/server_registry.hpp"

#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "group/space.hpp"
#include "os/identity.hpp"

namespace mpc {
namespace {

constexpr int64_t kGrace = 1000000000;
// Of an offset in a record: blocks begin at multiples of it.
constexpr uint64_t kUnit = kSmallestBlock;

ServerControl& control_at(const Group& group, uint64_t offset) {
  return *reinterpret_cast<ServerControl*>(group.at(offset));
}

// A copy, which is good only if the record has not changed when it is made.
Server copy_of(const ServerControl& control, Owner record, uint64_t offset) {
  Server server;
  server.record = record;
  server.owner = Owner{control.owner};
  server.control = offset;
  server.pid = control.pid;
  server.identity = control.identity;
  server.name_length = control.name_length;
  memcpy(server.name, control.name, sizeof server.name);
  memcpy(server.key, control.key, sizeof server.key);
  return server;
}

bool is_for(const ServerControl& control, uint64_t room, std::string_view purpose) {
  return control.purpose_size == purpose.size() && room >= sizeof control + purpose.size() &&
         memcmp(&control + 1, purpose.data(), purpose.size()) == 0;
}

// The server of the record, if it is for the purpose (null: for any).
std::optional<Server> read_record(const Group& group, uint32_t index,
                                  const std::string_view* purpose, uint64_t known_offset = 0) {
  Participant& record = group.participant(index);
  ParticipantWord before{record.state.load()};
  if (before.state() != ParticipantState::kLive) return {};
  uint64_t offset = known_offset != 0 ? known_offset : record.server.load() * kUnit;
  uint64_t room = offset != 0 ? space_room(group, offset) : 0;
  if (room < sizeof(ServerControl)) return {};
  const ServerControl& control = control_at(group, offset);
  if (purpose != nullptr && !is_for(control, room, *purpose)) return {};
  Server server = copy_of(control, Owner::make(index, before.generation()), offset);
  // The copy before this look.
  std::atomic_thread_fence(std::memory_order_acquire);
  if (record.state.load() != before.word) return {};
  return server;
}

}  // namespace

void server_publish(Group& group, uint64_t control) {
  uint64_t units = control / kUnit;
  // One that is too far away for the word serves nobody but who has it made.
  if (units <= UINT32_MAX) group.own_record().server.store(static_cast<uint32_t>(units));
}

std::optional<Server> server_of(const Group& group, Owner record, uint64_t control) {
  std::optional<Server> server = read_record(group, record.index(), nullptr, control);
  return server && server->record == record ? server : std::nullopt;
}

std::optional<Server> server_find(const Group& group, std::string_view purpose,
                                  const std::function<bool(const Server&)>& fits) {
  uint32_t high = group.header().participants_high.load();
  for (uint32_t i = 0; i < high; ++i) {
    std::optional<Server> server = read_record(group, i, &purpose);
    if (server && fits(*server)) return server;
  }
  return {};
}

void servers_each(const Group& group, const std::function<void(const Server&)>& body) {
  uint32_t high = group.header().participants_high.load();
  for (uint32_t i = 0; i < high; ++i) {
    if (std::optional<Server> server = read_record(group, i, nullptr)) body(*server);
  }
}

bool server_alive(const Server& server) {
  return process_life(server.pid, server.identity) == Life::kAlive;
}

uint32_t server_handled(const Group& group, const Server& server) {
  return control_at(group, server.control).handled.load();
}

void process_kill(int32_t pid, uint64_t identity) {
  Fd pidfd = pid > 0 ? open_pidfd(pid) : Fd();
  if (!pidfd || pidfd_identity(pidfd.get(), pid) != identity) return;
  if (syscall(SYS_pidfd_send_signal, pidfd.get(), SIGKILL, nullptr, 0) != 0) return;
  // Whoever looks at the group next must not find it. It heeds no signal before it ends.
  pidfd_ended(pidfd.get(), kGrace);
  // Where this process is the one that orphans come to, it is to be reaped here.
  siginfo_t info;
  waitid(P_PIDFD, static_cast<id_t>(pidfd.get()), &info, WEXITED | WNOHANG);
}

}  // namespace mpc
