// SPDX-License-Identifier: Apache-2.0
#include "process/server_link.hpp"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <new>
#include <vector>

#include "base/flat_bytes.hpp"
#include "base/local_lock.hpp"
#include "group/participant.hpp"
#include "group/space.hpp"
#include "os/futex.hpp"
#include "os/identity.hpp"
#include "os/proc_tree.hpp"
#include "process/children.hpp"
#include "process/credentials.hpp"
#include "process/first_process.hpp"
#include "process/preload.hpp"
#include "process/process.hpp"
#include "process/server_registry.hpp"
#include "process/supervisor.hpp"

namespace mpc {
namespace {

constexpr int64_t kTick = 100000000;
// For a server that is not asked to preload anything.
constexpr int64_t kBirthTime = int64_t{10} * 1000000000;
constexpr int64_t kStoppedTooLong = 1000000000;
constexpr int kServersToTry = 5;

// The server that was asked last for an image, and what for.
struct Link {
  std::string purpose;
  Server server;
};

// Never destroyed, as the list of children. Under the lock below.
struct Links {
  pid_t process = 0;  // whose they are: a forked child makes its own
  std::map<std::string, Link> by_image;
  std::map<std::string, std::array<uint64_t, 2>> files;  // device and inode, by path
};
Links& links() {
  static auto* links = new Links;
  return *links;
}

// Those that no request gets to. Under LocalLock and not the lock below: who finds that out is in
// the middle of a start, and so has what those wait for who make a server.
std::vector<Owner>& unreachable() {
  static auto* servers = new std::vector<Owner>;
  return *servers;
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
      links() = Links{};
      links().process = getpid();
    }
  }
  ~Making() { pthread_mutex_unlock(&making); }
  Making(const Making&) = delete;
  Making& operator=(const Making&) = delete;
};

// The file behind a path when it was first used: the program's own image goes by the same name in
// each process.
std::array<uint64_t, 2> file_of(const std::string& path) {
  auto known = links().files.find(path);
  if (known != links().files.end()) return known->second;
  struct stat st {};
  if (stat(path.c_str(), &st) != 0) return {};
  return links().files[path] = {st.st_dev, st.st_ino};
}

// Two processes may ask the same server exactly where these bytes are the same.
std::string purpose_of(const Image& image, const std::string& preload) {
  FlatWriter writer;
  writer.put(file_of(image.path));
  writer.put(image.preloads);
  writer.put_text(credentials_now());
  writer.put_text(preload);
  return writer.take();
}

bool avoided(Owner record) {
  LocalLock lock;
  const std::vector<Owner>& all = unreachable();
  return std::find(all.begin(), all.end(), record) != all.end();
}

struct Made {
  std::optional<Server> server;
  std::string failure;    // why there is none, or why the preload was not done
  bool unusable = false;  // there is none because of the preload
  bool again = false;     // there is none because somebody killed it, or stopped it
};

// Tells of a process that gets on no more because it is stopped, and may never go on.
class Stopped {
 public:
  bool for_too_long(int32_t pid) {
    if (!proc_is_ours() || !is_stopped(pid)) {
      until_ = Deadline::after(MPC_FOREVER);
    } else if (until_.never()) {
      until_ = Deadline::after(kStoppedTooLong);
    }
    return until_.past();
  }

 private:
  Deadline until_ = Deadline::after(MPC_FOREVER);
};

// Memory of this process for the time in which a server comes to be.
class BirthRoom {
 public:
  static Result<BirthRoom> make(Group& group) {
    Result<uint64_t> offset = space_allocate(group, sizeof(ServerBirth));
    if (!offset) return offset.error();
    new (group.at(*offset)) ServerBirth{};
    return BirthRoom(group, *offset);
  }
  BirthRoom(BirthRoom&& other) noexcept
      : group_(other.group_), offset_(std::exchange(other.offset_, 0)) {}
  BirthRoom& operator=(BirthRoom&&) = delete;
  // One that lives on where it cannot be killed may write there still: then it goes when this
  // process does.
  ~BirthRoom() {
    if (offset_ == 0) return;
    ServerBirth& birth = operator*();
    bool over = birth.pid == 0 || birth.state.load() == ServerBirth::kReady ||
                process_life(birth.pid, birth.identity) == Life::kDead;
    if (over) (void)space_free(group_, offset_);
  }
  ServerBirth& operator*() const { return *reinterpret_cast<ServerBirth*>(group_.at(offset_)); }
  uint64_t offset() const { return offset_; }

 private:
  BirthRoom(Group& group, uint64_t offset) : group_(group), offset_(offset) {}
  Group& group_;
  uint64_t offset_;
};

// What a server that did not come to be was doing.
Made not_made(const ServerBirth& birth, const char* what) {
  Made made;
  made.unusable = birth.doing[0] != '\0';
  made.failure = what;
  made.again = !made.unusable;
  if (made.unusable) made.failure += std::string(" while it was ") + birth.doing;
  return made;
}

// The server is on its way: it says ready, or that it failed; or it ends, or hangs, and says
// nothing.
Made wait_for_birth(Group& group, ServerBirth& birth, int64_t time) {
  Deadline patience = Deadline::after(time);
  Stopped stopped;
  while (birth.state.load() == ServerBirth::kStarting) {
    tidy_lifeline();
    bool alive = process_life(birth.pid, birth.identity) == Life::kAlive;
    if (birth.state.load() != ServerBirth::kStarting) break;
    if (!alive) return not_made(birth, "the fork server ended");
    if (stopped.for_too_long(birth.pid)) {
      process_kill(birth.pid, birth.identity);
      return not_made(birth, "the fork server was stopped");
    }
    int64_t left = patience.left(kTick);
    if (left == 0) {
      process_kill(birth.pid, birth.identity);
      Made late = not_made(birth, "the fork server was not ready in time and was ended");
      late.again = false;
      return late;
    }
    futex_wait(birth.state.address(), ServerBirth::kStarting, left);
  }
  Made made;
  made.failure = birth.failure;
  if (birth.state.load() == ServerBirth::kFailed) {
    made.unusable = birth.unusable != 0;
    // So that nobody is found who is only about to end.
    process_kill(birth.pid, birth.identity);
  } else {
    made.server = server_of(group, Owner{birth.record}, birth.control);
    made.again = !made.server;
    if (made.again) made.failure = "the fork server ended as soon as it was ready";
  }
  return made;
}

// The exit code of the process whose child the server is, and why it could not begin.
Result<int> run_intermediate(Group& group, ProcessPlan plan, std::string& why) {
  auto intermediate = std::make_shared<Process>(group, std::move(plan));
  if (Result<void> started = intermediate->start(); !started) return started.error();
  Stopped stopped;
  for (;;) {
    Result<bool> ended = intermediate->join(Deadline::after(kTick));
    if (!ended) return ended.error();
    if (*ended) {
      why = intermediate->take_why_not_begun();
      return intermediate->exit_code();
    }
    if (stopped.for_too_long(intermediate->started_pid())) {
      (void)intermediate->send_signal(SIGKILL);
    }
  }
}

Result<Made> make_server_once(Group& group, const Image& image, const std::string& purpose,
                              const Preload& preload) {
  Result<BirthRoom> room = BirthRoom::make(group);
  if (!room) return room.error();
  Result<LifelineAddress> lifeline = lifeline_of_this_process(group);
  if (!lifeline) return lifeline.error();
  ServerStart start;
  start.birth = room->offset();
  start.first = first_process(group, *lifeline);
  start.maker = FirstProcess{group.self, *lifeline};
  start.purpose = purpose;
  start.preload = preload_pack(preload);

  ProcessPlan plan;
  plan.method = MPC_START_SPAWN;
  plan.name = "ForkServer";
  plan.unnumbered = true;
  plan.task = server_task(start);
  plan.image = image;
  std::string why;
  Result<int> code = run_intermediate(group, std::move(plan), why);
  if (!code) return code.error();
  // Killed before it had noted the server: then that one ends by itself.
  if ((**room).pid == 0 && *code < 0) return not_made(**room, "the fork server was killed");
  if ((**room).pid == 0) {
    if (why.empty()) why = (**room).failure;
    return failure(MPC_ESYSTEM, "the fork server could not be started: %s",
                   why.empty() ? "it ended" : why.c_str());
  }
  return wait_for_birth(group, **room, preload.empty() ? kBirthTime : preload.timeout_ns);
}

Result<Made> make_server(Group& group, const Image& image, const std::string& purpose,
                         const Preload& preload) {
  for (int attempt = 1;; ++attempt) {
    Result<Made> made = make_server_once(group, image, purpose, preload);
    if (!made || !made->again || attempt == kServersToTry) return made;
  }
}

// A server that is ready. Where the preload makes that impossible and its errors are no reason not
// to start, one without it.
Result<Server> make_server_anyhow(Group& group, const Image& image, const std::string& purpose,
                                  const std::string& packed_preload, std::string& warning) {
  Result<Preload> preload = preload_unpack(packed_preload);
  if (!preload) return preload.error();
  Result<Made> made = make_server(group, image, purpose, *preload);
  if (!made) return made.error();
  if (made->unusable && preload->on_error == PreloadErrors::kFail) {
    return failure(MPC_EFUNCTION, "the preload of the fork server failed: %s",
                   made->failure.c_str());
  }
  std::string preload_failure = made->failure;
  if (made->unusable) {
    made = make_server(group, image, purpose, Preload{});
    if (!made) return made.error();
  }
  if (!made->server) {
    return failure(MPC_ESYSTEM, "the fork server could not begin: %s", made->failure.c_str());
  }
  if (!preload_failure.empty() && preload->on_error == PreloadErrors::kWarn) {
    warning = "the preload of the fork server failed: " + preload_failure;
  }
  return *made->server;
}

}  // namespace

Result<Server> server_for(Group& group, const Image& image, std::string& warning) {
  Making making_lock;
  std::string preload = preload_chosen();
  std::string purpose = purpose_of(image, preload);
  auto& by_image = links().by_image;
  if (auto known = by_image.find(image.path); known != by_image.end()) {
    const Server& server = known->second.server;
    bool same = known->second.purpose == purpose && !avoided(server.record);
    // Whether it lives its socket tells who asks it, which is as soon as the kernel's word of it.
    if (same && participant_present(group, server.record)) return server;
    // Nobody else has this process as the first of its tree but its descendants; what they need of
    // the kind they make again.
    if (server.owner == group.self) process_kill(server.pid, server.identity);
    by_image.erase(known);
  }
  auto fits = [&](const Server& server) {
    Owner first_of_tree = self().first.owner;
    bool of_my_tree =
        server.owner == group.self || (first_of_tree && server.owner == first_of_tree);
    return of_my_tree && !avoided(server.record) && server_alive(server);
  };
  std::optional<Server> found = server_find(group, purpose, fits);
  if (!found) {
    Result<Server> made = make_server_anyhow(group, image, purpose, preload, warning);
    if (!made) return made;
    found = *made;
    // Where others made one at the same time, all take the first.
    std::optional<Server> first = server_find(group, purpose, fits);
    if (first && first->record != found->record) {
      process_kill(found->pid, found->identity);
      found = first;
    }
  }
  by_image[image.path] = Link{std::move(purpose), *found};
  return *found;
}

void server_avoid(const Server& server) {
  LocalLock lock;
  unreachable().push_back(server.record);
}

void servers_end(Group& group) {
  servers_each(group, [&](const Server& server) {
    if (server.owner == group.self) process_kill(server.pid, server.identity);
  });
  Making making_lock;
  links().by_image.clear();
  LocalLock lock;
  unreachable().clear();  // in another group others have their records
}

}  // namespace mpc
