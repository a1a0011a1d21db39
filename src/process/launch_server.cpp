// SPDX-License-Identifier: Apache-2.0
// The start method `forkserver`, on the side of who asks.
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <optional>

#include "base/deadline.hpp"
#include "base/fd.hpp"
#include "group/participant.hpp"
#include "group/sweep.hpp"
#include "os/identity.hpp"
#include "os/spare_descriptor.hpp"
#include "process/function_name.hpp"
#include "process/launcher.hpp"
#include "process/served_record.hpp"
#include "process/server_link.hpp"
#include "process/server_registry.hpp"
#include "process/start_message.hpp"

namespace mpc {
namespace {

constexpr int64_t kTick = 50000000;
// A server that does not answer for so long although it lives was stopped; another is made.
constexpr int64_t kPatience = 2000000000;
constexpr int64_t kNap = 1000000;

// Whether a server has done nothing for too long. By the clock: signals end waits early, as often
// as they like.
class Patience {
 public:
  Patience(const Group& group, const Server& server)
      : group_(group), server_(server), handled_(server_handled(group, server)) {}

  bool over() {
    uint32_t handled = server_handled(group_, server_);
    if (handled != handled_) until_ = Deadline::after(kPatience);
    handled_ = handled;
    return until_.past();
  }

 private:
  const Group& group_;
  const Server& server_;
  uint32_t handled_;
  Deadline until_ = Deadline::after(kPatience);
};

enum class Sent { kYes, kNobodyThere, kNoRoom, kNoPassage, kFailed };

// kNoRoom: so many requests wait there already. kNoPassage: so many descriptors of this user's wait
// in any sockets.
Sent sent_as(ssize_t sent) {
  if (sent >= 0) return Sent::kYes;
  if (errno == ECONNREFUSED || errno == ENOENT) return Sent::kNobodyThere;
  if (errno == ETOOMANYREFS) return Sent::kNoPassage;
  bool full = errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
  return full ? Sent::kNoRoom : Sent::kFailed;
}

// As long as the server gets on with what is before this: room is waited for in the kernel, where
// those who wait have their turns.
Sent send_packet(int socket_fd, Group& group, const Server& server, const msghdr& packet) {
  Sent sent = sent_as(sendmsg(socket_fd, &packet, MSG_NOSIGNAL | MSG_DONTWAIT));
  if (sent != Sent::kNoRoom && sent != Sent::kNoPassage) return sent;
  timeval tick{0, kTick / 1000};
  setsockopt(socket_fd, SOL_SOCKET, SO_SNDTIMEO, &tick, sizeof tick);
  Patience patience(group, server);
  while (sent == Sent::kNoRoom || sent == Sent::kNoPassage) {
    if (patience.over() && sent == Sent::kNoPassage) {
      errno = ETOOMANYREFS;
      return Sent::kFailed;  // no fault of the server's
    }
    if (patience.over()) {
      process_kill(server.pid, server.identity);
      return Sent::kNobodyThere;
    }
    if (sent == Sent::kNoPassage) {
      timespec nap{0, kNap};
      nanosleep(&nap, nullptr);
    }
    sent = sent_as(sendmsg(socket_fd, &packet, MSG_NOSIGNAL));
  }
  return sent;
}

Sent send_request(int socket_fd, Group& group, const Server& server, const ServerRequest& request,
                  const std::vector<int>& fds) {
  alignas(cmsghdr) char room[CMSG_SPACE(kServerDescriptors * sizeof(int))] = {};
  sockaddr_un name;
  memcpy(&name, server.name, sizeof server.name);
  iovec data{const_cast<ServerRequest*>(&request), sizeof request};
  msghdr packet{};
  packet.msg_name = &name;
  packet.msg_namelen = server.name_length;
  packet.msg_iov = &data;
  packet.msg_iovlen = 1;
  if (!fds.empty()) {
    packet.msg_control = room;
    packet.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
    cmsghdr* rights = CMSG_FIRSTHDR(&packet);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
    memcpy(CMSG_DATA(rights), fds.data(), fds.size() * sizeof(int));
  }
  return send_packet(socket_fd, group, server, packet);
}

// The child's descriptors: what was chosen for it, the creator's output and error, and the tie.
Result<std::vector<int>> descriptors_of(const StartRequest& request, int tie,
                                        ServerRequest& packet) {
  std::vector<std::pair<int, int>> given;
  if (request.setup != nullptr) given = request.setup->descriptors.passed();
  for (int number : {STDOUT_FILENO, STDERR_FILENO}) {
    bool chosen = request.setup != nullptr && request.setup->descriptors.gives(number);
    if (!chosen && fcntl(number, F_GETFD) >= 0) given.emplace_back(number, number);
  }
  if (tie >= 0) given.emplace_back(tie, kTieNumber);
  if (given.size() > kServerDescriptors) {
    return failure(MPC_EINVAL, "a fork server passes at most %u descriptors to a child; use spawn",
                   kServerDescriptors - 3);
  }
  std::vector<int> fds;
  for (const auto& [fd, number] : given) {
    packet.numbers[packet.count++] = number;
    fds.push_back(fd);
  }
  return fds;
}

enum class Answer { kStarted, kRefused, kNoServer };

bool is_final(const ServedAnswer& answer) { return answer.reply >= ServedAnswer::kStarted; }

// The server was killed before it answered. Its child is there, or was, and said who it is; or has
// only its record yet; or there is none that will begin.
std::optional<int32_t> child_of_dead_server(Group& group, const StartRequest& request) {
#if MPC_PLANT_FAULT == 6
  return std::nullopt;
#endif
  ParticipantWord reserved = ParticipantWord::make(
      request.record.generation(), ParticipantState::kReserved, request.starter.word);
  sweep(group, request.record, reserved);
  Participant& record = group.participant(request.record.index());
  ParticipantWord now{record.state.load()};
  bool live =
      now.generation() == request.record.generation() && now.state() == ParticipantState::kLive;
  ServedAnswer answer = served_answer_read(group, request.record);
  if (answer.reply == ServedAnswer::kNone && !live) return std::nullopt;
  int32_t pid = answer.reply != ServedAnswer::kNone ? answer.value : static_cast<int32_t>(now.by());
  if (record.identity.load() == 0) {
    participant_identify(group, request.record, process_identity(pid));
  }
  return pid;
}

// `out_value`: the pid, or an errno.
Answer wait_for_answer(Group& group, const Server& server, const StartRequest& request,
                       int32_t& out_value) {
  Patience patience(group, server);
  for (bool first = true;; first = false) {
    ServedAnswer answer = served_answer_read(group, request.record);
    out_value = answer.value;
    if (answer.reply == ServedAnswer::kStarted) return Answer::kStarted;
    if (answer.reply == ServedAnswer::kFailed) return Answer::kRefused;
    bool stopped = !first && patience.over();
    if (!first && (stopped || !server_alive(server))) {
      if (stopped) process_kill(server.pid, server.identity);
      if (is_final(served_answer_read(group, request.record))) continue;
      std::optional<int32_t> child = child_of_dead_server(group, request);
      out_value = child.value_or(0);
      return child ? Answer::kStarted : Answer::kNoServer;
    }
    served_answer_wait(group, request.record, answer, kTick);
  }
}

}  // namespace

Result<Started> launch_server(Group& group, const StartRequest& request) {
  FunctionName function;
  bool has_function = request.task->function != nullptr;
  if (has_function) {
    Result<FunctionName> named =
        function_name_of(reinterpret_cast<const void*>(request.task->function));
    if (!named) return named.error();
    function = std::move(*named);
  }
  Result<uint64_t> offset = start_message_write(group, request, has_function ? &function : nullptr);
  if (!offset) return offset.error();

  // Before the tie, which the child can make itself where no descriptor is left.
  Fd socket_fd(with_spare([] { return socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0); }));
  if (!socket_fd) return system_failure("asking the fork server", errno);
  Fd tie;
  if (!request.detach) {
    Result<Fd> connection = lifeline_connection(request.tie);
    if (!connection) return connection.error();
    tie = std::move(*connection);
  }
  ServerRequest packet{};
  packet.starter = request.starter.word;
  packet.record = request.record.word;
  packet.message = *offset;
  bool leads =
      request.setup != nullptr && request.setup->wanted->process_group == MPC_PROCESS_GROUP_NEW;
  packet.process_group = leads ? 1 : 0;
  packet.authkey = request.child.authkey;
  Result<std::vector<int>> fds = descriptors_of(request, tie.get(), packet);
  if (!fds) return fds.error();

  const Server& server = *request.server;
  memcpy(packet.key, server.key, sizeof packet.key);
  Sent sent = send_request(socket_fd.get(), group, server, packet, *fds);
  int error = errno;
  explicit_bzero(&packet.key, sizeof packet.key);
  explicit_bzero(&packet.authkey, sizeof packet.authkey);
  if (sent == Sent::kFailed) return system_failure("asking the fork server", error);
  if (sent == Sent::kNobodyThere) {
    // It is dead, or its socket is in another network namespace than this process is in by now.
    server_avoid(server);
    return Started{};  // pid 0: no server any more
  }
  int32_t value = 0;
  switch (wait_for_answer(group, server, request, value)) {
    case Answer::kNoServer:
      return Started{};
    case Answer::kRefused:
      return no_process_failure("fork in the fork server", value);
    case Answer::kStarted:
      break;
  }
  return Started{value, *offset};
}

}  // namespace mpc
