// SPDX-License-Identifier: Apache-2.0
#include "process/child.hpp"

#include <pthread.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

#include "base/child_page.hpp"
#include "base/local_lock.hpp"
#include "base/log.hpp"
#include "group/current.hpp"
#include "group/participant.hpp"
#include "os/identity.hpp"
#include "os/null_device.hpp"
#include "os/other_threads.hpp"
#include "os/raw_syscall.hpp"
#include "os/signals.hpp"
#include "process/exit.hpp"
#include "process/packed_function.hpp"
#include "process/preload.hpp"
#include "process/setup.hpp"
#include "process/start_message.hpp"
#include "process/start_method.hpp"
#include "process/start_ticket.hpp"
#include "process/thread_exit.h"

namespace mpc {
namespace {

constexpr int kStarterDied = 255;

// Handlers of the parent's program mean nothing here.
MPC_CHILD_CODE void reset_signals(Group& group, bool ignore_sigint) {
  const Participant& record = group.own_record();
  bool known = record.signals_known.load() != 0;
  signals_reset(known ? record.signals.load() : signals_handled());
  interrupt_ignore(ignore_sigint);
}

// Bound when the library is loaded: a call by name would be bound anew in each child.
void (*const volatile purge)(FILE*) = __fpurge;

// As __fpending(), whose code is on a page that a fresh child does not have yet.
MPC_CHILD_CODE bool holds_output(FILE* stream) {
#ifdef __GLIBC__
  if (stream->_mode <= 0) return stream->_IO_write_ptr > stream->_IO_write_base;
#endif
  return __fpending(stream) != 0;
}

// What the parent had not written yet is the parent's to write. Only looked at where there is
// nothing: a page of the C library that is not written is not copied.
MPC_CHILD_CODE void forget_output(FILE* stream) {
  if (holds_output(stream)) purge(stream);
}

MPC_CHILD_CODE void write_output(FILE* stream) {
  if (holds_output(stream)) fflush(stream);
}

// As purge, for the same reason.
int (*const volatile change_cancel_state)(int, int*) = pthread_setcancelstate;
void (*const volatile take_cancellation)() = pthread_testcancel;

MPC_CHILD_CODE void set_cancel_state(int state) {
  int before;
  change_cancel_state(state, &before);
}

// As _exit(), which would be bound anew in each child.
[[noreturn]] MPC_CHILD_CODE void exit_now(int exit_code) {
  for (;;) raw_syscall(SYS_exit_group, exit_code);
}

// Runs the function of a child, and ends the process with what it returned. Where it calls
// pthread_exit() or is cancelled the process lives, as after such an end of main(), until its last
// thread has ended, and then ends as if the function had returned 0. `leave` ends the process.
//
// Only the function can be cancelled: what comes before and after it is the library's, which no
// unwinding may go through.
template <class Function, class Finish>
class Run {
 public:
  Run(const Function& function, const Finish& finish, void (*leave)(int))
      : function_(function), finish_(finish), leave_(leave) {}

  // A fork copies the starting thread's pending cancellation as well. It is not the child's, and
  // there is no way to take it back: it is let happen here, where nothing is lost by it, and
  // happens once.
  [[noreturn]] MPC_CHILD_CODE void to_its_end() {
    run_with_thread_exit(take_inherited_cancellation, begin, this);
    begin(this);
  }

 private:
  MPC_CHILD_CODE static int take_inherited_cancellation(void*) {
    set_cancel_state(PTHREAD_CANCEL_ENABLE);
    take_cancellation();
    return 0;
  }

  [[noreturn]] MPC_CHILD_CODE static void begin(void* self) {
    auto* run = static_cast<Run*>(self);
    int exit_code = run_with_thread_exit(call, leave_last, self);
    run->finish_(exit_code);
    run->leave_(exit_code);
    __builtin_unreachable();
  }

  MPC_CHILD_CODE static int call(void* self) {
    int exit_code = static_cast<Run*>(self)->function_();
    set_cancel_state(PTHREAD_CANCEL_DISABLE);
    return exit_code;
  }

  [[noreturn]] static void leave_last(void* self) {
    auto* run = static_cast<Run*>(self);
    bool last = wait_for_other_threads();
    run->finish_(0);
    if (last) run->leave_(0);
    // It cannot be told whether there are others: the kernel ends the process after the last one.
    fflush(stdout);
    fflush(stderr);
    for (;;) raw_syscall(SYS_exit, 0);
  }

  const Function& function_;
  const Finish& finish_;
  void (*leave_)(int);
};

// What the starter of a fresh image said.
MPC_CHILD_CODE Result<const StartMessage*> adopt(const StartTicket& ticket) {
  Result<Group*> group =
      adopt_group(ticket.memory_fd, ticket.base, ticket.size, ticket.record, ticket.starter);
  if (!group) return group.error();
  return start_message_at(**group, ticket.message);
}

// The key that the starter put into a pipe.
MPC_CHILD_CODE AuthkeyCopy key_from(int fd) {
  Fd pipe(fd);
  AuthkeyCopy key;
  ssize_t n = pipe ? read(pipe.get(), key.bytes, sizeof key.bytes) : 0;
  key.size = n > 0 ? static_cast<uint32_t>(n) : 0;
  return key;
}

// Makes this process what its starter said. `self` is kept for good, as the process is it for good.
MPC_CHILD_CODE void begin(Group& group, const StartMessage& message, const Self& self) {
  authkey_inherit(self.authkey);
  become(&self);
  if (message.detach != 0) {
    participant_identify(group, group.self, process_identity(getpid()));
  }
  if (message.log_level != MPC_LOG_OFF) {
    log_set(static_cast<mpc_log_level>(message.log_level), nullptr, nullptr);
  }
  if (message.start_method != MPC_START_DEFAULT) {
    (void)start_method_set(message.start_method, true);
  }
  if (message.preload.size != 0) preload_choose(std::string(message.text(message.preload)));
}

// In a fresh image.
MPC_CHILD_CODE void begin_image(const StartMessage& message, const StartTicket& ticket) {
  auto* self = new Self;
  self_from(message, false, *self);
  self->authkey = key_from(ticket.key_fd);
  begin(*group_if_any(), message, *self);
}

// Into the room that the starter left for it; also a line for who reads the child's log.
void report_failure(const StartMessage& message, const Error& error) {
  auto* room = const_cast<char*>(message.text(message.report).data());
  // It is zero to begin with, and the last byte stays so.
  size_t size = std::min<size_t>(error.message.size(), message.report.size - 1);
  std::copy_n(error.message.data(), size, room);
  log_line(MPC_LOG_ERROR, "could not begin: %s", error.message.c_str());
}

MPC_CHILD_CODE Result<const void*> function_of(const StartMessage& message) {
  Result<FunctionName> name = function_unpack(message.text(message.function));
  if (!name) return name.error();
  return function_found(*name);
}

// What the starter chose for this child; its descriptors are there already.
Result<void> set_up_as_told(const StartMessage& message) {
  Result<ProcessSetup> setup = setup_unpack(message.text(message.setup));
  if (!setup) return setup.error();
  return setup_apply(*setup);
}

MPC_CHILD_CODE void finish_message(int exit_code) {
  end_children();
  if (Group* group = group_if_any()) exit_record_write(*group, exit_code);
}

MPC_CHILD_CODE const void* find_function(const StartMessage& message) {
  Result<const void*> function = function_of(message);
  if (function) return *function;
  report_failure(message, function.error());
  _exit(kStarterDied);
}

void set_up(const StartMessage& message) {
  Result<void> done = set_up_as_told(message);
  if (done) return;
  report_failure(message, done.error());
  _exit(kSetupFailed);
}

// `function`: null where it is still to be found.
MPC_CHILD_CODE int run_message(const StartMessage& message, const void* function,
                               void (*leave)(int)) {
  interrupt_ignore(message.ignore_sigint != 0);
  set_bootstrapping(false);
  if (message.setup.size != 0) set_up(message);
  if (message.has_function != 0) {
    if (function == nullptr) function = find_function(message);
    std::string_view refs = message.text(message.refs);
    auto call = [&] {
      return reinterpret_cast<mpc_process_fn>(const_cast<void*>(function))(
          message.text(message.argument).data(), message.argument.size,
          reinterpret_cast<const mpc_ref*>(refs.data()), refs.size() / sizeof(mpc_ref));
    };
    Run(call, finish_message, leave).to_its_end();
  }
  finish_message(0);
  return 0;
}

// The image is the server's: nothing of it is the child's to run at exit.
[[noreturn]] MPC_CHILD_CODE void leave_image_of_server(int exit_code) {
  write_output(stdout);
  write_output(stderr);
  exit_now(exit_code);
}

}  // namespace

MPC_CHILD_CODE int run_image_child(const StartTicket& ticket) noexcept {
  Result<const StartMessage*> message = adopt(ticket);
  if (!message) _exit(kStarterDied);
  begin_image(**message, ticket);
  return run_message(**message, nullptr, exit);
}

Result<const StartMessage*> adopt_program(const StartTicket& ticket) {
  Result<const StartMessage*> message = [&] {
    LocalLock lock;
    return adopt(ticket);
  }();
  if (message) begin_image(**message, ticket);
  return message;
}

MPC_CHILD_CODE void self_from(const StartMessage& message, bool served, Self& out_self) {
  out_self.name = message.text(message.name);
  out_self.path = message.text(message.path);
  out_self.daemon = message.daemon != 0;
  out_self.parent_pid = message.parent_pid;
  out_self.served = served;
  out_self.parent_name = message.text(message.parent_name);
  out_self.parent_identity = message.parent_identity;
  memcpy(&out_self.first, message.text(message.first).data(), sizeof out_self.first);
}

MPC_CHILD_CODE void run_served_child(Group& group, const StartMessage& message, const Self& self,
                                     const void* function) noexcept {
  forget_exit();
  begin(group, message, self);
  leave_image_of_server(run_message(message, function, leave_image_of_server));
}

MPC_CHILD_CODE void run_child(Group& group, const StartRequest& request) noexcept {
  if (!become_child(group, request.record, request.starter)) exit_now(kStarterDied);
  null_device_put(STDIN_FILENO);
  // Before the tie: what the child makes itself must not take a number that it is given.
  if (request.setup != nullptr && !setup_forked_child(*request.setup)) exit_now(kSetupFailed);
  if (request.detach) {
    lifeline_decline(request.tie);
    participant_identify(group, group.self, process_identity(getpid()));
  } else if (!lifeline_tie(request.tie, request.parent_pid)) {
    exit_now(kStarterDied);
  }
  reset_signals(group, request.ignore_sigint);
  forget_output(stdout);
  forget_output(stderr);
  become(&request.child);
  forget_exit();

  auto finish = [&](int code) {
    end_children();
    write_output(stdout);
    write_output(stderr);
    // The body may have left the group.
    if (group_if_any() == &group) exit_record_write(group, code);
  };
  auto run = [&] { return request.task->run(); };
  Run(run, finish, exit_now).to_its_end();
}

}  // namespace mpc
