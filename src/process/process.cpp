// SPDX-License-Identifier: Apache-2.0
// No descriptor is kept for a child but for the newest: one is opened for the time of a wait. So a
// program with a thousand children needs no thousand descriptors, and one that closes what it did
// not open breaks nothing.
#include "process/process.hpp"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/log.hpp"
#include "group/participant.hpp"
#include "group/sweep.hpp"
#include "os/held_pidfd.hpp"
#include "os/identity.hpp"
#include "process/children.hpp"
#include "process/first_process.hpp"
#include "process/served_record.hpp"
#include "process/server_link.hpp"
#include "process/start_message.hpp"
#include "process/usage.hpp"

namespace mpc {
namespace {

constexpr int kUnknownExit = 255;
constexpr int64_t kLongestSleep = 1000000000;  // with a pidfd: only against the unforeseen
constexpr int64_t kShortestSleep = 5000000;    // without one
constexpr int kServersToTry = 5;
// How long a fork server that was told of a death may take to write it down: it is stopped, or
// gone.
constexpr int64_t kServerSays = 200000000;
// How long the fork server's word alone is waited for: it comes with one wake-up. A child that runs
// longer is waited for as any other, in case the server is killed.
constexpr int64_t kEndsSoon = 20000000;

std::string exit_text(int exit_code) {
  if (exit_code >= 0) return std::to_string(exit_code);
  const char* name = sigabbrev_np(-exit_code);
  return name != nullptr ? std::string("-SIG") + name : std::to_string(exit_code);
}

}  // namespace

Process::Process(Group& group, ProcessPlan plan)
    : group_(group),
      plan_(std::move(plan)),
      path_(plan_.unnumbered ? std::string() : next_child_path()),
      creator_(group.self),
      creator_pid_(getpid()),
      detached_(plan_.detach) {
  if (plan_.name.empty()) plan_.name = "Process-" + path_;
}

Result<void> Process::check_mine() const {
  if (started_here()) return {};
  return failure(MPC_ECHILD, "process %s was made by process %d; only that one may do this",
                 plan_.name.c_str(), creator_pid_);
}

bool Process::started_here() const { return group_.self == creator_; }

// In a child that inherited this by a fork the lock may be held by a thread that does not exist
// there; but nothing there changes what it protects.
std::unique_lock<std::mutex> Process::lock_if_mine() {
  return started_here() ? std::unique_lock(mutex_) : std::unique_lock<std::mutex>();
}

Result<void> Process::check_open() const {
  if (state_ != MPC_PROCESS_CLOSED) return {};
  return failure(MPC_ESTATE, "process %s is closed", plan_.name.c_str());
}

// What the child will be. Its memory has no other copy of the key in it than its own.
Self Process::child_of_this_process() const {
  Self child{plan_.name, path_, plan_.daemon, getpid()};
  child.parent_name = self().name;
  child.parent_identity = group_.own_record().identity.load();
  if (child.parent_identity == 0) child.parent_identity = process_identity(getpid());
  // A forked child has the key in its memory, once it is made. Where the system gives no random
  // bytes the child cannot have any either, and says so itself.
  Result<AuthkeyCopy> key = authkey();
  if (key && plan_.method != MPC_START_FORK) child.authkey = *key;
  return child;
}

Result<void> Process::start() {
  if (Result<void> mine = check_mine(); !mine) return mine;
  std::lock_guard guard(mutex_);
  if (Result<void> open = check_open(); !open) return open;
  if (state_ != MPC_PROCESS_INITIAL) {
    return failure(MPC_ESTATE, "process %s was started already; make another one",
                   plan_.name.c_str());
  }
  for (int attempt = 0; attempt < kServersToTry; ++attempt) {
    Result<bool> begun = start_once();
    if (!begun) return begun.error();
    if (*begun) return {};
  }
  return failure(MPC_ESYSTEM, "the fork server was killed each time that it was asked");
}

// Not by start(), which is called with locks held: whom the line is handed to may do as it likes.
void Process::tell_start() {
  std::string name;
  std::string warning;
  {
    std::lock_guard guard(mutex_);
    warning.swap(warning_);
    if (log_wanted(MPC_LOG_INFO)) name = plan_.name;
  }
  if (!warning.empty()) log_line(MPC_LOG_WARNING, "%s", warning.c_str());
  if (!name.empty()) log_line(MPC_LOG_INFO, "started %s as process %d", name.c_str(), pid_);
}

// False where the fork server died over it.
Result<bool> Process::start_once() {
  StartRequest request;
  request.child = child_of_this_process();
  request.detach = plan_.detach;
  request.ignore_sigint = plan_.ignore_sigint;
  request.task = &plan_.task;
  request.image = plan_.image ? &*plan_.image : nullptr;
  request.parent_pid = getpid();
  request.starter = group_.self;
  Server server;
  served_ = plan_.method == MPC_START_FORKSERVER;
  if (served_) {
    Result<Image> image = plan_.image
                              ? Result<Image>(*plan_.image)
                              : image_for(reinterpret_cast<const void*>(plan_.task.function));
    if (!image) return image.error();
    Result<Server> found = server_for(group_, *image, warning_);
    if (!found) return found.error();
    server = *found;
    request.server = &server;
    server_pid_ = server.pid;
    server_identity_ = server.identity;
  }
  Result<Starting> starting = Starting::begin(group_);
  if (!starting) return starting.error();
  request.tie = starting->tie();
  if (!plan_.detach) request.child.first = first_process(group_, request.tie.lifeline);
  StartSetup setup;
  if (plan_.setup != nullptr) {
    if (Result<void> ready = prepare(setup, request); !ready) return ready.error();
  }
  Result<Owner> record = participant_reserve(group_, plan_.name);
  if (!record) return record.error();
  request.record = *record;
  auto give_up = [&] {
    sweep(group_, *record);
    participant_release(group_, *record);
  };
  for (ObjectId id : plan_.held) {
    if (Result<void> held = object_attach(group_, id, *record); !held) {
      give_up();
      return held.error();
    }
  }
  Result<Started> started = launcher_of(plan_.method)(group_, request);
  if (!started || started->pid == 0) {
    give_up();
    if (!started) return started.error();
    return false;
  }
  record_ = *record;
  pid_ = started->pid;
  message_ = started->message;
  if (request.setup != nullptr) note_setup(setup);
  if (!plan_.detach) starting->done(pid_);
  state_ = MPC_PROCESS_STARTED;
  // Told by the parent while the child is busy with its first steps. Where the parent dies before,
  // the child goes with it; one that would not has told it itself. A server tells it, for by now
  // the pid may be another's.
  if (!served_) {
    HeldPidfd pidfd;
    participant_identify(group_, record_, pidfd.identify(pid_));
    Starting::keep(this, std::move(pidfd));
  }
  return true;
}

Result<void> Process::prepare(StartSetup& setup, StartRequest& request) {
  if (Result<void> good = setup_check(*plan_.setup); !good) return good;
  Result<SetupDescriptors> descriptors = SetupDescriptors::open(*plan_.setup);
  if (!descriptors) return descriptors.error();
  if (Result<void> made = setup_report_.make(); !made) return made;
  setup = StartSetup{plan_.setup.get(), std::move(*descriptors), setup_report_.place()};
  // A connection that is lent where the child is given something else: it makes one itself.
  if (setup.descriptors.gives(request.tie.lent)) request.tie.lent = -1;
  request.setup = &setup;
  return {};
}

// The child makes itself the leader as well: whichever is first, it is one for whoever asks next.
void Process::note_setup(StartSetup& setup) {
  if (setup.wanted->process_group == MPC_PROCESS_GROUP_NEW) setpgid(pid_, pid_);
  pipes_ = setup.descriptors.take_pipes();
}

Result<int> Process::take_pipe(uint32_t which) {
  if (Result<void> mine = check_mine(); !mine) return mine.error();
  std::lock_guard guard(mutex_);
  if (Result<void> open = check_open(); !open) return open.error();
  if (which >= pipes_.size()) {
    return failure(MPC_EINVAL, "%u is no standard stream; use 0, 1 or 2", which);
  }
  if (state_ == MPC_PROCESS_INITIAL) {
    return failure(MPC_ESTATE, "process %s was not started", plan_.name.c_str());
  }
  int fd = pipes_[which].take();
  if (fd >= 0) return fd;
  return failure(MPC_ESTATE, "process %s has no pipe for stream %u, or it was handed over before",
                 plan_.name.c_str(), which);
}

void Process::drop_pipes() {
  std::unique_lock<std::mutex> guard = lock_if_mine();
  pipes_ = {};
}

void Process::note_end(int exit_code) {
  exit_code_ = exit_code;
  why_not_begun_ = setup_report_.take();
  state_ = MPC_PROCESS_STOPPED;
  lifeline_return(pid_);
  if (message_ != 0 && exit_code == kUnknownExit && why_not_begun_.empty()) note_report();
  // Its own main() ran, and nothing of what was asked for: no success.
  if (plan_.method == MPC_START_SPAWN && exit_code == 0 && participant_waits(group_, record_)) {
    exit_code_ = kUnknownExit;
    why_not_begun_ = "its executable did not load libmpc, or a constructor in it ended it";
  }
  sweep(group_, record_);
  participant_release(group_, record_);
}

// Why a fresh image could not begin: from its message, which goes with the child's record. Where
// another has swept that already, the text is lost, and what was read is somebody else's.
void Process::note_report() {
  Result<const StartMessage*> message = start_message_at(group_, message_);
  if (!message) return;
  std::string_view text = (*message)->text((*message)->report);
  std::string copy(text.substr(0, text.find('\0')));
  ParticipantWord now{group_.participant(record_.index()).state.load()};
  bool there = now.generation() == record_.generation() && now.state() == ParticipantState::kLive;
  if (there) why_not_begun_ = std::move(copy);
}

// Not where the end is noticed, with the lock held: whom the line is handed to may call the
// library.
void Process::say_why_not_begun() {
  if (plan_.unnumbered) return;
  std::string why = take_why_not_begun();
  if (!why.empty()) {
    log_line(MPC_LOG_WARNING, "%s ended before its function was called: %s", plan_.name.c_str(),
             why.c_str());
  }
}

std::string Process::take_why_not_begun() {
  std::lock_guard guard(mutex_);
  return std::exchange(why_not_begun_, {});
}

bool Process::reap() {
  bool ended = reap_silently();
  if (ended) say_why_not_begun();
  return ended;
}

bool Process::reap_silently() {
  std::lock_guard guard(mutex_);
  return reap_locked();
}

bool Process::reap_locked() {
  HeldPidfd pidfd;
  return reap_locked(pidfd);
}

// The child's end as the kernel tells it to its parent. Where something else in this process reaped
// it, or SIGCHLD is ignored, the kernel says that there is no such child, or its pid is another's
// by now: then its own record and, from Linux 6.15 on, its pidfd may know how it ended.
bool Process::reap_locked(HeldPidfd& pidfd) {
  if (state_ != MPC_PROCESS_STARTED) return state_ != MPC_PROCESS_INITIAL;
  if (served_) return reap_served(pidfd);
  if (pidfd.open(pid_, group_.participant(record_.index()).identity.load())) {
    int fd = pidfd.just_opened();
    siginfo_t info;
    rusage used;
    long result;
    do {
      info.si_pid = 0;
      // The C library's has no room for what was used.
      result = fd >= 0 ? syscall(SYS_waitid, P_PIDFD, fd, &info, WEXITED | WNOHANG, &used)
                       : syscall(SYS_waitid, P_PID, pid_, &info, WEXITED | WNOHANG, &used);
    } while (result != 0 && errno == EINTR);
    if (result == 0 && info.si_pid == 0) return false;
    if (result == 0) {
      usage_ = usage_of(used, info.si_code == CLD_DUMPED);
      note_end(info.si_code == CLD_EXITED ? info.si_status & 0xff : -info.si_status);
      return true;
    }
  }
  int fd = pidfd.get();
  int exit_code = fd >= 0 ? pidfd_exit_code(fd) : kNoExitCode;
  if (exit_code == kNoExitCode) {
    int recorded = exit_record_read(group_, record_);
    exit_code = recorded >= 0 ? recorded : kUnknownExit;
  }
  note_end(exit_code);
  return true;
}

// The child of a fork server: the server reaps it and writes down how it ended. Where it was killed
// before it could, the child's own record and its pidfd may tell.
bool Process::reap_served(HeldPidfd& pidfd) {
  int status = end_record_read(group_, record_);
  if (status < 0) {
    uint64_t identity = group_.participant(record_.index()).identity.load();
    bool there = pidfd.open(pid_, identity);
    int fd = pidfd.just_opened();
    if (there && (fd >= 0 ? !pidfd_ended(fd, 0) : process_life(pid_, identity) == Life::kAlive)) {
      return false;
    }
    // It has ended: what is left is the server's to say, which is about to.
    Deadline patience = Deadline::after(kServerSays);
    for (bool waiting = true; waiting && status < 0;) {
      end_record_wait(group_, record_, patience.left(kShortestSleep));
      status = end_record_read(group_, record_);
      if (status >= 0) break;
      waiting = !patience.past() && process_life(server_pid_, server_identity_) == Life::kAlive;
      // What it wrote before it died counts.
      status = end_record_read(group_, record_);
    }
    if (status < 0) {
      int exit_code = fd >= 0 ? pidfd_exit_code(fd) : kNoExitCode;
      if (exit_code == kNoExitCode) {
        int recorded = exit_record_read(group_, record_);
        exit_code = recorded >= 0 ? recorded : kUnknownExit;
      }
      note_end(exit_code);
      return true;
    }
  }
  usage_ = served_usage_read(group_, record_);
  usage_.core_dumped = WIFSIGNALED(status) && WCOREDUMP(status) ? 1 : 0;
  note_end(WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status));
  return true;
}

Result<bool> Process::join(Deadline deadline) {
  if (Result<void> mine = check_mine(); !mine) return mine.error();
  HeldPidfd pidfd = newest_child_pidfd(this);
  for (bool first = true;; first = false) {
    bool ended = false;
    bool ask_server = false;
    {
      std::lock_guard guard(mutex_);
      if (Result<void> open = check_open(); !open) return open.error();
      if (state_ == MPC_PROCESS_INITIAL) {
        return failure(MPC_ESTATE, "process %s was not started", plan_.name.c_str());
      }
      ask_server = first && served_ && state_ == MPC_PROCESS_STARTED;
      if (!ask_server || end_record_read(group_, record_) >= 0) ended = reap_locked(pidfd);
    }
    if (!ended && ask_server) {
      end_record_wait(group_, record_, deadline.left(kEndsSoon));
      continue;
    }
    if (ended) {
      say_why_not_begun();
      return true;
    }
    int fd = pidfd.just_opened();
    int64_t left = deadline.left(fd >= 0 ? kLongestSleep : kShortestSleep);
    if (left == 0) return false;
    if (fd >= 0) {
      pidfd_ended(fd, left);
    } else {
      timespec sleep{0, static_cast<long>(left)};
      nanosleep(&sleep, nullptr);
    }
  }
}

Result<bool> Process::alive() {
  if (Result<void> mine = check_mine(); !mine) return mine.error();
  std::lock_guard guard(mutex_);
  if (Result<void> open = check_open(); !open) return open.error();
  return state_ == MPC_PROCESS_STARTED && !reap_locked();
}

Result<int> Process::exit_code() {
  if (Result<void> mine = check_mine(); !mine) return mine.error();
  std::lock_guard guard(mutex_);
  if (Result<void> open = check_open(); !open) return open.error();
  if (state_ == MPC_PROCESS_INITIAL || !reap_locked()) {
    return failure(MPC_ESTATE, "process %s has %s; it has no exit code yet", plan_.name.c_str(),
                   state_ == MPC_PROCESS_INITIAL ? "not been started" : "not ended");
  }
  return exit_code_;
}

Result<void> Process::send_signal(int signal) {
  Result<bool> sent = signal_if_running(signal);
  return sent ? Result<void>() : sent.error();
}

// False where it has ended already.
Result<bool> Process::signal_if_running(int signal) {
  if (Result<void> mine = check_mine(); !mine) return mine.error();
  std::lock_guard guard(mutex_);
  if (Result<void> started = check_started_locked(); !started) return started.error();
  HeldPidfd pidfd;
  if (reap_locked(pidfd)) return false;
  int fd = pidfd.get();
  int result = fd >= 0 ? static_cast<int>(syscall(SYS_pidfd_send_signal, fd, signal, nullptr, 0))
                       : ::kill(pid_, signal);
  if (result != 0 && errno != ESRCH) return system_failure("sending a signal", errno);
  return result == 0;
}

Result<void> Process::close() {
  if (Result<void> mine = check_mine(); !mine) return mine;
  std::lock_guard guard(mutex_);
  if (state_ == MPC_PROCESS_STARTED && !reap_locked()) {
    return failure(MPC_ESTATE, "process %s still runs; join it first", plan_.name.c_str());
  }
  state_ = MPC_PROCESS_CLOSED;
  pipes_ = {};
  return {};
}

Result<int32_t> Process::pid() {
  std::unique_lock<std::mutex> guard = lock_if_mine();
  if (Result<void> open = check_open(); !open) return open.error();
  if (state_ == MPC_PROCESS_INITIAL) {
    return failure(MPC_ESTATE, "process %s was not started", plan_.name.c_str());
  }
  return pid_;
}

Result<std::string> Process::name() {
  std::unique_lock<std::mutex> guard = lock_if_mine();
  if (Result<void> open = check_open(); !open) return open.error();
  return plan_.name;
}

Result<void> Process::set_name(std::string name) {
  if (Result<void> mine = check_mine(); !mine) return mine;
  std::lock_guard guard(mutex_);
  if (Result<void> open = check_open(); !open) return open;
  plan_.name = std::move(name);
  return {};
}

mpc_process_state Process::state() {
  std::unique_lock<std::mutex> guard = lock_if_mine();
  if (started_here()) reap_locked();
  return state_;
}

std::string Process::describe() {
  std::unique_lock<std::mutex> guard = lock_if_mine();
  if (started_here()) reap_locked();
  std::string text = "<Process name='" + plan_.name + "'";
  if (pid_ != 0) text += " pid=" + std::to_string(pid_);
  text += " parent=" + std::to_string(creator_pid_);
  switch (state_) {
    case MPC_PROCESS_INITIAL:
      text += " initial";
      break;
    case MPC_PROCESS_STARTED:
      text += started_here() ? " started" : " unknown";
      break;
    case MPC_PROCESS_STOPPED:
      text += " stopped exitcode=" + exit_text(exit_code_);
      break;
    case MPC_PROCESS_CLOSED:
      text += " closed";
      break;
  }
  if (plan_.daemon) text += " daemon";
  return text + ">";
}

}  // namespace mpc
