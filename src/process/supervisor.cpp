// SPDX-License-Identifier: Apache-2.0
#include "process/supervisor.hpp"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <unordered_map>

#include "base/fd.hpp"
#include "group/current.hpp"
#include "group/memory_descriptor.hpp"
#include "group/participant.hpp"
#include "os/futex.hpp"
#include "os/identity.hpp"
#include "process/child.hpp"
#include "process/creator_state.hpp"
#include "process/server_control.hpp"
#include "process/start_message.hpp"
#include "process/usage.hpp"

namespace mpc {
namespace {

constexpr int kCannotBegin = 255;

// The descriptors that came with a request, in the order in which they were sent.
struct Passed {
  std::array<Fd, kServerDescriptors> fds;
  uint32_t count = 0;
};

class Supervisor {
 public:
  Supervisor(Group& group, ServerControl& control) : group_(group), control_(control) {}

  Result<void> open() {
    sigset_t interesting;
    sigemptyset(&interesting);
    sigaddset(&interesting, SIGCHLD);
    sigprocmask(SIG_BLOCK, &interesting, nullptr);
    own_ = creator_state_now(true);
    signal(SIGINT, SIG_IGN);
    deaths_ = Fd(signalfd(-1, &interesting, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!deaths_) return system_failure("signalfd", errno);
    requests_ = Fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!requests_) return system_failure("socket", errno);
    int on = 1;
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    socklen_t length = sizeof(sa_family_t);
    if (setsockopt(requests_.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on) != 0 ||
        bind(requests_.get(), reinterpret_cast<const sockaddr*>(&name), length) != 0) {
      return system_failure("the socket of the fork server", errno);
    }
    length = sizeof name;
    getsockname(requests_.get(), reinterpret_cast<sockaddr*>(&name), &length);
    if (length > sizeof control_.name) {
      return failure(MPC_EINTERNAL, "the kernel chose an unexpectedly long socket name");
    }
    memcpy(control_.name, &name, length);
    control_.name_length = length;
    for (size_t have = 0; have < sizeof control_.key;) {
      ssize_t n = getrandom(control_.key + have, sizeof control_.key - have, 0);
      if (n < 0 && errno != EINTR) return system_failure("getrandom", errno);
      if (n > 0) have += static_cast<size_t>(n);
    }
    control_.credentials = Credentials::now();
    control_.pid = getpid();
    control_.identity = process_identity(getpid());
    return {};
  }

  // Forked children come out of it, each once; the server itself never.
  const StartMessage* serve() {
    for (;;) {
      pollfd events[] = {{requests_.get(), POLLIN, 0}, {deaths_.get(), POLLIN, 0}};
      if (poll(events, 2, -1) < 0 && errno != EINTR) _exit(1);
      if (events[1].revents != 0) reap();
      if (events[0].revents == 0) continue;
      while (const StartMessage* message = answer_one()) {
        if (is_child_) return message;
      }
    }
  }

  const Authkey& key() const { return key_; }

 private:
  void reap() {
    signalfd_siginfo told;
    while (read(deaths_.get(), &told, sizeof told) == sizeof told) {
    }
    int status = 0;
    rusage used;
    for (pid_t pid = 0; (pid = wait4(-1, &status, WNOHANG, &used)) > 0;) {
      auto child = children_.find(pid);
      if (child == children_.end()) continue;
      // In the child's message, which is there until who started it sweeps its record.
      mpc_process_usage usage = usage_of(used, WIFSIGNALED(status) && WCOREDUMP(status));
      memcpy(const_cast<char*>(child->second.message->text(child->second.message->usage).data()),
             &usage, sizeof usage);
      end_record_write(group_, child->second.record, status);
      children_.erase(child);
    }
  }

  // The message of the request that was answered; null where there is none left.
  const StartMessage* answer_one() {
    for (;;) {
      ServerRequest request;
      Passed passed;
      switch (receive(request, passed)) {
        case Received::kNothing:
          return nullptr;
        case Received::kForeign:
          continue;
        case Received::kRequest:
          break;
      }
      Result<const StartMessage*> message = start_message_at(group_, request.message);
      if (!message) continue;
      start(**message, request, passed);
      if (is_child_) key_ = AuthkeyCopy(request.authkey);
      explicit_bzero(&request.authkey, sizeof request.authkey);
      return *message;
    }
  }

  enum class Received { kNothing, kForeign, kRequest };

  Received receive(ServerRequest& request, Passed& passed) {
    alignas(cmsghdr) char
        control[CMSG_SPACE(sizeof(ucred)) + CMSG_SPACE(kServerDescriptors * sizeof(int))];
    iovec data{&request, sizeof request};
    msghdr packet{};
    packet.msg_iov = &data;
    packet.msg_iovlen = 1;
    packet.msg_control = control;
    packet.msg_controllen = sizeof control;
    ssize_t size = recvmsg(requests_.get(), &packet, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (size < 0) return Received::kNothing;
    bool same_user = false;
    for (cmsghdr* each = CMSG_FIRSTHDR(&packet); each != nullptr;
         each = CMSG_NXTHDR(&packet, each)) {
      if (each->cmsg_level != SOL_SOCKET) continue;
      if (each->cmsg_type == SCM_CREDENTIALS) {
        ucred sender;
        memcpy(&sender, CMSG_DATA(each), sizeof sender);
        same_user = sender.uid == getuid() || sender.uid == geteuid();
      } else if (each->cmsg_type == SCM_RIGHTS) {
        size_t count = (each->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; ++i) {
          int fd;
          memcpy(&fd, CMSG_DATA(each) + i * sizeof fd, sizeof fd);
          // Never under the number of a standard descriptor that is closed here.
          if (passed.count < kServerDescriptors) {
            passed.fds[passed.count++] = above_standard(Fd(fd));
          } else {
            close(fd);
          }
        }
      }
    }
    bool ours = same_user && size == sizeof request && (packet.msg_flags & MSG_CTRUNC) == 0 &&
                request.count == passed.count &&
                memcmp(request.key, control_.key, sizeof request.key) == 0;
    return ours ? Received::kRequest : Received::kForeign;
  }

  void start(const StartMessage& message, const ServerRequest& request, Passed& passed) {
    ServedWords& answer = message.served_words();
    Owner record{request.record};
    pid_t pid = fork();
    if (pid == 0) {
      become_served(message, request, passed);
      is_child_ = true;
      return;
    }
    if (pid < 0) {
      answer.value.store(errno);
      answer.reply.store(ServedWords::kFailed);
    } else {
      children_[pid] = Child{record, &message};
      if (request.process_group != 0) setpgid(pid, pid);
      // Its identity is known before it can be reaped, and so its pid before it can be another's.
      participant_identify(group_, record, process_identity(pid));
      answer.value.store(pid);
      answer.reply.store(ServedWords::kStarted);
    }
    futex_wake(answer.reply.address(), 1);
  }

  // The first steps of a child: its creator's state, only the descriptors that it was given, its
  // record, its tie.
  void become_served(const StartMessage& message, const ServerRequest& request, Passed& passed) {
    requests_.reset();
    deaths_.reset();
    prctl(PR_SET_NAME, std::string(message.text(message.name)).c_str());
    signal(SIGINT, SIG_DFL);
    int tie = put_in_place(request, passed);
    if (!become_child(group_, Owner{request.record}, Owner{request.starter})) _exit(kCannotBegin);
    if (message.detach == 0) {
      LifelineAddress lifeline;
      memcpy(&lifeline, message.text(message.lifeline).data(), sizeof lifeline);
      if (!lifeline_tie_to(lifeline, tie)) _exit(kCannotBegin);
    }
    Result<CreatorState> creator = creator_state_unpack(message.text(message.creator));
    if (creator) (void)creator_state_apply(*creator, own_);
  }

  // The tie's number; -1 where none came along.
  int put_in_place(const ServerRequest& request, Passed& passed) {
    int first_free = STDERR_FILENO + 1;
    for (uint32_t i = 0; i < passed.count; ++i) {
      first_free = std::max(first_free, request.numbers[i] + 1);
    }
    // Out of the way of the numbers that are given: what came, and the memory's.
    for (uint32_t i = 0; i < passed.count; ++i) {
      passed.fds[i] = Fd(fcntl(passed.fds[i].get(), F_DUPFD_CLOEXEC, first_free));
    }
    if (group_.mapping().fd < first_free) move_memory_up(group_, first_free);
    bool has[STDERR_FILENO + 1] = {true, false, false};
    int tie = -1;
    for (uint32_t i = 0; i < passed.count; ++i) {
      int number = request.numbers[i];
      if (number == kTieNumber) {
        tie = passed.fds[i].release();
        continue;
      }
      dup2(passed.fds[i].get(), number);
      if (number <= STDERR_FILENO) has[number] = true;
    }
    for (int number : {STDOUT_FILENO, STDERR_FILENO}) {
      if (!has[number]) close(number);
    }
    return tie;
  }

  Group& group_;
  ServerControl& control_;
  Fd requests_;
  Fd deaths_;
  CreatorState own_;  // the server's own state, which its children begin with
  struct Child {
    Owner record;
    const StartMessage* message = nullptr;
  };
  std::unordered_map<pid_t, Child> children_;
  bool is_child_ = false;
  AuthkeyCopy key_;
};

void tell(ServerControl& control, ServerControl::State state) {
  control.state.store(state);
  futex_wake(control.state.address(), INT32_MAX);
}

// In the child of the intermediate process. The argument was copied: its block goes with that one.
int run_server(const ServerStart& start) {
  Result<Group*> joined = current_group();
  if (!joined) _exit(1);
  Group& group = **joined;
  group.own_record().server.store(static_cast<uint32_t>(start.control / 64));
  prctl(PR_SET_NAME, "mpc-forkserver");
  auto& control = *reinterpret_cast<ServerControl*>(group.at(start.control));
  if (!lifeline_tie_to(start.owner, -1)) _exit(1);
  // Kept for good: a child comes out of it with what it has open.
  auto* server = new Supervisor(group, control);
  if (Result<void> opened = server->open(); !opened) {
    strncpy(control.failure, opened.error().message.c_str(), sizeof control.failure - 1);
    tell(control, ServerControl::kFailed);
    _exit(1);
  }
  tell(control, ServerControl::kReady);
  const StartMessage* message = server->serve();
  return run_served_child(group, *message, server->key());
}

int start_server(const void* argument, size_t, const mpc_ref*, size_t) {
  ServerStart start;
  memcpy(&start, argument, sizeof start);
  pid_t pid = fork();
  if (pid != 0) return pid > 0 ? 0 : 1;
  _exit(run_server(start));
}

}  // namespace

Task server_task(const ServerStart& start) {
  Task task;
  task.function = start_server;
  task.argument.resize(sizeof start);
  memcpy(task.argument.data(), &start, sizeof start);
  return task;
}

}  // namespace mpc
