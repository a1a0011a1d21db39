// SPDX-License-Identifier: Apache-2.0
#include "process/server_link.hpp"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <map>
#include <memory>
#include <new>

#include "base/local_lock.hpp"
#include "base/log.hpp"
#include "group/space.hpp"
#include "os/futex.hpp"
#include "os/identity.hpp"
#include "process/children.hpp"
#include "process/image.hpp"
#include "process/process.hpp"
#include "process/supervisor.hpp"

namespace mpc {
namespace {

constexpr int64_t kTick = 100000000;
constexpr int64_t kGrace = 1000000000;

struct Link {
  uint64_t control = 0;  // offset
};

// Never destroyed, as the list of children. Under the lock below.
struct Links {
  pid_t process = 0;  // whose they are: a forked child makes its own
  std::map<std::string, Link> by_image;
};
Links& links() {
  static auto* links = new Links;
  return *links;
}

// Held while a server is made. In a forked child it may be held by a thread that does not exist.
pthread_mutex_t making = PTHREAD_MUTEX_INITIALIZER;
pid_t making_process = 0;

class Making {
 public:
  Making() {
    {
      LocalLock lock;
      if (making_process != getpid()) {
        making = PTHREAD_MUTEX_INITIALIZER;
        making_process = getpid();
      }
    }
    pthread_mutex_lock(&making);
    if (links().process != getpid()) {
      links().process = getpid();
      links().by_image.clear();
    }
  }
  ~Making() { pthread_mutex_unlock(&making); }
  Making(const Making&) = delete;
  Making& operator=(const Making&) = delete;
};

ServerControl& control_at(Group& group, const Link& link) {
  return *reinterpret_cast<ServerControl*>(group.at(link.control));
}

Result<Link> make_server(Group& group, const Image& image) {
  Result<uint64_t> offset = space_allocate(group, sizeof(ServerControl));
  if (!offset) return offset.error();
  auto* control = new (group.at(*offset)) ServerControl{};
  auto give_up = [&](Error error) {
    (void)space_free(group, *offset);
    return error;
  };
  Result<LifelineAddress> lifeline = lifeline_of_this_process(group);
  if (!lifeline) return give_up(lifeline.error());

  ProcessPlan plan;
  plan.method = MPC_START_SPAWN;
  plan.name = "ForkServer";
  plan.unnumbered = true;
  plan.task = server_task(ServerStart{*offset, *lifeline});
  plan.image = image;
  auto intermediate = std::make_shared<Process>(group, std::move(plan));
  if (Result<void> started = intermediate->start(); !started) return give_up(started.error());
  (void)intermediate->join(Deadline::after(MPC_FOREVER));
  Result<int> code = intermediate->exit_code();
  if (!code || *code != 0) {
    std::string why = intermediate->take_why_not_begun();
    return give_up(failure(MPC_ESYSTEM, "the fork server could not be started: %s",
                           why.empty() ? "it ended" : why.c_str()));
  }
  // The server is on its way: it says ready, or that it failed; or it was killed, and says nothing.
  Deadline patience = Deadline::after(int64_t{10} * 1000000000);
  while (control->state.load() == ServerControl::kStarting && patience.left(kTick) > 0) {
    futex_wait(control->state.address(), ServerControl::kStarting, patience.left(kTick));
  }
  if (control->state.load() != ServerControl::kReady) {
    return give_up(failure(MPC_ESYSTEM, "the fork server could not begin: %s",
                           control->failure[0] != '\0' ? control->failure : "it ended"));
  }
  return Link{*offset};
}

void end_server(Group& group, const Link& link) {
  server_kill(control_at(group, link));
  (void)space_free(group, link.control);
}

}  // namespace

Credentials Credentials::now() {
  Credentials now;
  getresuid(&now.uids[0], &now.uids[1], &now.uids[2]);
  getresgid(&now.gids[0], &now.gids[1], &now.gids[2]);
  return now;
}

bool server_alive(const ServerControl& control) {
  return process_life(control.pid, control.identity) == Life::kAlive;
}

void server_kill(const ServerControl& control) {
  Fd pidfd = control.pid > 0 ? open_pidfd(control.pid) : Fd();
  if (pidfd && pidfd_identity(pidfd.get(), control.pid) == control.identity) {
    syscall(SYS_pidfd_send_signal, pidfd.get(), SIGKILL, nullptr, 0);
    // Whoever looks at the group next must not find it. It heeds no signal before it ends.
    pidfd_ended(pidfd.get(), kGrace);
    // Where this process is the one that orphans come to, it is to be reaped here.
    siginfo_t info;
    waitid(P_PIDFD, static_cast<id_t>(pidfd.get()), &info, WEXITED | WNOHANG);
  }
}

Result<ServerControl*> server_for(Group& group, const Image& image) {
  Making making_lock;
  auto& by_image = links().by_image;
  if (auto known = by_image.find(image.key()); known != by_image.end()) {
    ServerControl& control = control_at(group, known->second);
    if (server_alive(control) && control.credentials == Credentials::now()) return &control;
    end_server(group, known->second);
    by_image.erase(known);
  }
  Result<Link> link = make_server(group, image);
  if (!link) return link.error();
  by_image[image.key()] = *link;
  return &control_at(group, *link);
}

void servers_end(Group& group) {
  if (links().process != getpid()) return;
  Making making_lock;
  for (auto& [image, link] : links().by_image) end_server(group, link);
  links().by_image.clear();
}

}  // namespace mpc
