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
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <unordered_map>

#include "base/child_page.hpp"
#include "base/fd.hpp"
#include "base/flat_bytes.hpp"
#include "group/current.hpp"
#include "group/participant.hpp"
#include "group/space.hpp"
#include "os/futex.hpp"
#include "os/identity.hpp"
#include "os/raw_syscall.hpp"
#include "process/creator_state.hpp"
#include "process/preload_run.hpp"
#include "process/served_child.hpp"
#include "process/served_record.hpp"
#include "process/server_control.hpp"
#include "process/server_registry.hpp"
#include "process/start_message.hpp"

namespace mpc {
namespace {

constexpr char kServerName[] = "mpc-forkserver";
// So many requests are looked at before deaths are: strangers can send without end.
constexpr int kRequestsAtOnce = 64;

class Supervisor {
 public:
  Supervisor(Group& group, ServerControl& control)
      : group_(group), control_(control), child_(group) {}

  Result<void> open() {
    raise_descriptor_limit();
    sigset_t interesting;
    sigemptyset(&interesting);
    sigaddset(&interesting, SIGCHLD);
    sigprocmask(SIG_BLOCK, &interesting, nullptr);
    // Ignored, the kernel would reap.
    signal(SIGCHLD, SIG_DFL);
    signal(SIGINT, SIG_IGN);
    child_.start_from(creator_state_now(true));
    deaths_ = Fd(signalfd(-1, &interesting, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!deaths_) return system_failure("signalfd", errno);
    requests_ = Fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!requests_) return system_failure("socket", errno);
    int on = 1;
    if (setsockopt(requests_.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on) != 0) {
      return system_failure("the socket of the fork server", errno);
    }
    if (Result<void> named = name_socket(); !named) return named;
    if (Result<void> filled = fill_randomly(control_.key, sizeof control_.key); !filled) {
      return filled;
    }
    control_.pid = getpid();
    control_.identity = process_identity(getpid());
    return {};
  }

  [[noreturn]] void serve() {
    for (;;) {
      pollfd events[] = {{requests_.get(), POLLIN, 0}, {deaths_.get(), POLLIN, 0}};
      if (poll(events, 2, -1) < 0 && errno != EINTR) _exit(1);
      if (events[1].revents != 0) reap();
      if (events[0].revents == 0) continue;
      for (int i = 0; i < kRequestsAtOnce && answer_one(); ++i) {
      }
    }
  }

 private:
  // What comes with a request needs numbers here, though not at who sends it. Children have their
  // creator's limit.
  static void raise_descriptor_limit() {
    rlimit both{};
    if (getrlimit(RLIMIT_NOFILE, &both) != 0 || both.rlim_cur == both.rlim_max) return;
    both.rlim_cur = both.rlim_max;
    setrlimit(RLIMIT_NOFILE, &both);
  }

  static Result<void> fill_randomly(unsigned char* bytes, size_t size) {
    for (size_t have = 0; have < size;) {
      ssize_t n = getrandom(bytes + have, size - have, 0);
      if (n < 0 && errno != EINTR) return system_failure("getrandom", errno);
      if (n > 0) have += static_cast<size_t>(n);
    }
    return {};
  }

  // At random and not by the kernel, whose names are few: a request that comes too late for one
  // server must not go to another socket.
  Result<void> name_socket() {
    unsigned char random[7];
    if (Result<void> filled = fill_randomly(random, sizeof random); !filled) return filled;
    std::string text = "mpc-server-";
    for (unsigned char byte : random) {
      text += "0123456789abcdef"[byte >> 4];
      text += "0123456789abcdef"[byte & 15];
    }
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    memcpy(name.sun_path + 1, text.data(), text.size());
    control_.name_length = static_cast<uint32_t>(offsetof(sockaddr_un, sun_path) + 1 + text.size());
    static_assert(sizeof control_.name >= sizeof(sa_family_t) + 1 + 11 + 2 * sizeof random);
    memcpy(control_.name, &name, sizeof control_.name);
    if (bind(requests_.get(), reinterpret_cast<const sockaddr*>(&name), control_.name_length) !=
        0) {
      return system_failure("the name of the fork server's socket", errno);
    }
    return {};
  }

  void reap() {
    signalfd_siginfo told;
    while (read(deaths_.get(), &told, sizeof told) == sizeof told) {
    }
    int status = 0;
    rusage used;
    for (pid_t pid = 0; (pid = wait4(-1, &status, WNOHANG, &used)) > 0;) {
      auto child = children_.find(pid);
      if (child == children_.end()) continue;
      served_usage_write(group_, child->second, used);
      end_record_write(group_, child->second, status);
      children_.erase(child);
    }
  }

  // False where there is no request.
  bool answer_one() {
    ServerRequest request;
    Passed passed;
    Received received = receive(request, passed);
    if (received == Received::kNothing) return false;
    control_.handled.store(control_.handled.load() + 1);
    if (received == Received::kForeign) return true;
    Result<const StartMessage*> found = start_message_at(group_, request.message);
    if (!found) return true;
    if (received == Received::kCut) {
      served_answer(group_, Owner{request.record}, {ServedAnswer::kFailed, EMFILE});
      return true;
    }
    start(**found, request, passed);
    explicit_bzero(&request.authkey, sizeof request.authkey);
    return true;
  }

  // kCut: a request whose descriptors there was no room for here.
  enum class Received { kNothing, kForeign, kCut, kRequest };

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
    bool whole = size == sizeof request && (packet.msg_flags & MSG_TRUNC) == 0;
    if (!same_user || !whole || !knows_key(request)) return Received::kForeign;
    if ((packet.msg_flags & MSG_CTRUNC) != 0) return Received::kCut;
    return request.count == passed.count ? Received::kRequest : Received::kForeign;
  }

  // In a time that does not tell how much of it is right.
  bool knows_key(const ServerRequest& request) const {
    unsigned char difference = 0;
    for (uint32_t i = 0; i < kServerKeySize; ++i) difference |= request.key[i] ^ control_.key[i];
    return difference == 0;
  }

  // Not inlined: the child runs in here.
  [[gnu::noinline]] MPC_CHILD_CODE void start(const StartMessage& message, ServerRequest& request,
                                              Passed& passed) {
    Owner record{request.record};
    child_.prepare(message, request);
    // Given up meanwhile: what was prepared may be of somebody else's memory.
    if (!participant_waits(group_, record)) {
      child_.forget_key();
      return;
    }
    pid_t pid = fork();
    if (pid == 0) {
      raw_syscall(SYS_close, requests_.get());
      raw_syscall(SYS_close, deaths_.get());
      child_.run(request, passed);
    }
    child_.forget_key();
    if (pid < 0) {
      served_answer(group_, record, {ServedAnswer::kFailed, errno});
      return;
    }
    children_[pid] = record;
    if (request.process_group != 0) setpgid(pid, pid);
    // Its identity is known before it can be reaped, and so its pid before it can be another's.
    participant_identify(group_, record, process_identity(pid));
    served_answer(group_, record, {ServedAnswer::kStarted, pid});
  }

  Group& group_;
  ServerControl& control_;
  Fd requests_;
  Fd deaths_;
  ServedChild child_;                          // the next one; in a child itself
  std::unordered_map<pid_t, Owner> children_;  // and their records
};

void say(char* room, size_t size, const std::string& text) {
  room[text.copy(room, size - 1)] = '\0';
}

// What came to be at a birth. From the answer on the server writes nothing there any more.
void tell(ServerBirth& birth, ServerBirth::State state) {
  birth.state.store(state);
  futex_wake(birth.state.address(), INT32_MAX);
}

[[noreturn]] void give_up(ServerBirth& birth, const std::string& why) {
  say(birth.failure, sizeof birth.failure, why);
  tell(birth, ServerBirth::kFailed);
  _exit(1);
}

// Does what is to be preloaded, in whose time every call of this library is refused: what is
// started here would be no child of anybody's.
void preload(ServerBirth& birth, const std::string& packed) {
  Result<Preload> wanted = preload_unpack(packed);
  if (!wanted) give_up(birth, wanted.error().message);
  set_bootstrapping(true);
  PreloadOutcome outcome = preload_run(*wanted, birth.doing, sizeof birth.doing);
  prctl(PR_SET_NAME, kServerName);
  birth.doing[0] = '\0';
  say(birth.failure, sizeof birth.failure, outcome.failure);
  if (outcome.unusable || (!outcome.failure.empty() && wanted->on_error == PreloadErrors::kFail)) {
    birth.unusable = 1;
    give_up(birth, outcome.failure);
  }
}

// The control of a server that is ready but for its name and key.
ServerControl& make_control(Group& group, ServerBirth& birth, const ServerStart& start) {
  Result<uint64_t> offset = space_allocate(group, sizeof(ServerControl) + start.purpose.size());
  if (!offset) give_up(birth, offset.error().message);
  birth.control = *offset;
  auto* control = new (group.at(*offset)) ServerControl{};
  control->purpose_size = static_cast<uint32_t>(start.purpose.size());
  memcpy(reinterpret_cast<char*>(control) + sizeof *control, start.purpose.data(),
         start.purpose.size());
  if (lifeline_tie_to(start.first.lifeline, -1)) {
    control->owner = start.first.owner.word;
  } else if (lifeline_tie_to(start.maker.lifeline, -1)) {
    control->owner = start.maker.owner.word;
  } else {
    give_up(birth, "nobody is left whose life it could be tied to");
  }
  return *control;
}

// True once the intermediate process has noted who the server is.
bool is_noted(int gate) {
  Fd waiting(gate);
  char byte;
  ssize_t n;
  do {
    n = read(waiting.get(), &byte, 1);
  } while (n < 0 && errno == EINTR);
  return n == 1;
}

// Whoever had it made may be gone long before it, and what its output leads to is read to its end.
// Children get their creators'. Where these were closed, what is opened next would have their
// numbers.
void let_go_of_output() {
  Fd nothing = above_standard(Fd(open("/dev/null", O_RDWR | O_CLOEXEC)));
  for (int number : {STDOUT_FILENO, STDERR_FILENO}) {
    if (nothing) dup2(nothing.get(), number);
  }
}

// In the child of the intermediate process.
[[noreturn]] void run_server(const ServerStart& start) {
  Result<Group*> joined = current_group();
  if (!joined) _exit(1);
  Group& group = **joined;
  prctl(PR_SET_NAME, kServerName);
  auto& birth = *reinterpret_cast<ServerBirth*>(group.at(start.birth));
  // Who has it made may die before the first of its tree does, and the birth's memory with it.
  Fd until_born = lifeline_tied_to(start.maker.lifeline);
  if (!until_born) _exit(1);
  preload(birth, start.preload);
  ServerControl& control = make_control(group, birth, start);
  let_go_of_output();
  // Kept for good: a child comes out of it with what it has open.
  auto* server = new Supervisor(group, control);
  if (Result<void> opened = server->open(); !opened) give_up(birth, opened.error().message);
  birth.record = group.self.word;
  server_publish(group, birth.control);
  tell(birth, ServerBirth::kReady);
  until_born.reset();
  server->serve();
}

std::string start_pack(const ServerStart& start) {
  FlatWriter writer;
  writer.put(start.birth);
  for (const FirstProcess* each : {&start.first, &start.maker}) {
    writer.put(each->owner);
    writer.put(each->lifeline);
  }
  writer.put_text(start.purpose);
  writer.put_text(start.preload);
  return writer.take();
}

bool start_unpack(std::string_view bytes, ServerStart& start) {
  FlatReader reader(bytes);
  reader.get(start.birth);
  for (FirstProcess* each : {&start.first, &start.maker}) {
    reader.get(each->owner);
    reader.get(each->lifeline);
  }
  reader.get_text(start.purpose);
  reader.get_text(start.preload);
  return reader.done();
}

// The server waits until it is noted, and ends where this process is killed before. So one of which
// nobody knows never writes into the birth's memory, which may be something else's by then.
int start_server(const void* argument, size_t size, const mpc_ref*, size_t) {
  ServerStart start;
  Group* group = group_if_any();
  if (group == nullptr || !start_unpack({static_cast<const char*>(argument), size}, start)) {
    return 1;
  }
  auto& birth = *reinterpret_cast<ServerBirth*>(group->at(start.birth));
  auto cannot = [&](const Error& error) {
    say(birth.failure, sizeof birth.failure, error.message);
    return 1;
  };
  int gate[2];
  if (pipe2(gate, O_CLOEXEC) != 0) return cannot(system_failure("pipe2", errno));
  pid_t pid = fork();
  if (pid < 0) return cannot(no_process_failure("fork", errno));
  if (pid == 0) {
    close(gate[1]);
    if (!is_noted(gate[0])) _exit(1);
    run_server(start);
  }
  // Not reaped yet, so that this is its pid and no other's.
  birth.identity = process_identity(pid);
  birth.pid = pid;
  return write(gate[1], "", 1) == 1 ? 0 : 1;
}

}  // namespace

Task server_task(const ServerStart& start) {
  Task task;
  task.function = start_server;
  std::string packed = start_pack(start);
  task.argument.assign(packed.begin(), packed.end());
  return task;
}

}  // namespace mpc
