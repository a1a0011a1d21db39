// SPDX-License-Identifier: Apache-2.0
#include "process/served_child.hpp"

#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/child_page.hpp"
#include "group/current.hpp"
#include "group/memory_descriptor.hpp"
#include "os/raw_syscall.hpp"
#include "os/signals.hpp"
#include "process/child.hpp"
#include "process/function_name.hpp"
#include "process/packed_function.hpp"
#include "process/served_record.hpp"

namespace mpc {
namespace {

constexpr int kCannotBegin = 255;

[[noreturn]] MPC_CHILD_CODE void give_up() {
  for (;;) raw_syscall(SYS_exit_group, kCannotBegin);
}

MPC_CHILD_CODE void close_now(Fd& fd) { raw_syscall(SYS_close, fd.release()); }

}  // namespace

void ServedChild::start_from(CreatorState present) { present_ = std::move(present); }

void ServedChild::prepare(const StartMessage& message, const ServerRequest& request) {
  message_ = &message;
  self_from(message, true, self_);
  self_.authkey = AuthkeyCopy(request.authkey);
  prepare_function();
  prepare_state();
}

// Nothing is unloaded here, so what was found once stays true. What is not loaded only the child
// loads: its constructors would run in the server.
void ServedChild::prepare_function() {
  function_ = nullptr;
  if (message_->has_function == 0) return;
  std::string_view text = message_->text(message_->function);
  auto known = functions_.find(text);
  if (known == functions_.end()) {
    Result<FunctionName> name = function_unpack(text);
    if (!name) return;
    const void* function = function_found_loaded(*name);
    if (function == nullptr) return;
    known = functions_.emplace(std::string(text), function).first;
  }
  function_ = known->second;
}

void ServedChild::prepare_state() {
  std::string_view text = message_->text(message_->creator);
  if (!wanted_known_ || wanted_text_ != text) compare_states(text);
}

void ServedChild::compare_states(std::string_view text) {
  Result<CreatorState> unpacked = creator_state_unpack(text);
  wanted_known_ = static_cast<bool>(unpacked);
  if (!unpacked) return;
  wanted_ = std::move(*unpacked);
  wanted_text_ = text;
  // What the server has changed for itself is told apart from what its starter had otherwise.
  CreatorState present = present_;
  present.limits = wanted_.limits;
  present.ignored_signals = wanted_.ignored_signals;
  present.signal_mask = wanted_.signal_mask;
  little_differs_ = present == wanted_;
}

MPC_CHILD_CODE void ServedChild::run(ServerRequest& request, Passed& passed) noexcept {
  begin(request, passed);
  for (volatile unsigned char& byte : request.authkey.bytes) byte = 0;
  run_served_child(group_, *message_, self_, function_);
}

MPC_CHILD_CODE void ServedChild::begin(const ServerRequest& request, Passed& passed) {
  int tie = put_in_place(request, passed);
  // From here on the message is this process's; before, it may be somebody else's memory.
  if (!become_child(group_, Owner{request.record}, Owner{request.starter})) give_up();
  served_answer(group_, Owner{request.record},
                {ServedAnswer::kBegun, static_cast<int32_t>(raw_syscall(SYS_getpid))});
  raw_syscall(SYS_prctl, PR_SET_NAME, reinterpret_cast<long>(self_.name.c_str()));
  if (message_->detach == 0) {
    const auto* lifeline =
        reinterpret_cast<const LifelineAddress*>(message_->text(message_->lifeline).data());
    if (!lifeline_tie_served(*lifeline, tie)) give_up();
  }
  if (wanted_known_) take_state();
}

MPC_CHILD_CODE void ServedChild::take_state() {
  if (!little_differs_) {
    (void)creator_state_apply(wanted_, present_);
    return;
  }
  take_limits();
  signals_ignore(wanted_.ignored_signals, present_.ignored_signals);
  if (wanted_.signal_mask != present_.signal_mask) {
    raw_syscall(SYS_rt_sigprocmask, SIG_SETMASK, reinterpret_cast<long>(&wanted_.signal_mask), 0,
                sizeof wanted_.signal_mask);
  }
}

MPC_CHILD_CODE void ServedChild::take_limits() {
  for (size_t i = 0; i < wanted_.limits.size(); ++i) {
    const CreatorLimit& wanted = wanted_.limits[i];
    if (wanted.soft == present_.limits[i].soft && wanted.hard == present_.limits[i].hard) continue;
    // As the kernel has it.
    uint64_t both[] = {wanted.soft, wanted.hard};
    raw_syscall(SYS_prlimit64, 0, static_cast<long>(i), reinterpret_cast<long>(both));
  }
}

// The tie's number; -1 where none came along.
MPC_CHILD_CODE int ServedChild::put_in_place(const ServerRequest& request, Passed& passed) {
  int first_free = STDERR_FILENO + 1;
  for (uint32_t i = 0; i < passed.count; ++i) {
    first_free = std::max(first_free, request.numbers[i] + 1);
  }
  // Out of the way of the numbers that are given: what came, and the memory's.
  for (uint32_t i = 0; i < passed.count; ++i) {
    Fd& fd = passed.fds[i];
    if (fd.get() >= first_free) continue;
    Fd moved(static_cast<int>(raw_syscall(SYS_fcntl, fd.get(), F_DUPFD_CLOEXEC, first_free)));
    close_now(fd);
    fd = std::move(moved);
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
    raw_syscall(SYS_dup3, passed.fds[i].get(), number, 0);
    close_now(passed.fds[i]);
    if (number <= STDERR_FILENO) has[number] = true;
  }
  for (int number = STDOUT_FILENO; number <= STDERR_FILENO; ++number) {
    if (!has[number]) raw_syscall(SYS_close, number);
  }
  return tie;
}

}  // namespace mpc
