// SPDX-License-Identifier: Apache-2.0
// A process that this one made: from the options to the exit code.
#ifndef MPC_PROCESS_PROCESS_HPP
#define MPC_PROCESS_PROCESS_HPP

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/deadline.hpp"
#include "base/fd.hpp"
#include "base/handles.hpp"
#include "group/object.hpp"
#include "process/image.hpp"
#include "process/launcher.hpp"

namespace mpc {

class HeldPidfd;

struct ProcessPlan {
  mpc_start_method method = MPC_START_DEFAULT;
  std::string name;  // empty: made from the path
  bool daemon = false;
  bool detach = false;
  bool ignore_sigint = false;
  bool unnumbered = false;     // the library's own: in no count of children or log
  std::vector<ObjectId> held;  // for the child from start to end
  Task task;
  std::optional<Image> image;                 // as in StartRequest
  std::unique_ptr<const ProcessSetup> setup;  // null: nothing was chosen
};

class Process {
 public:
  Process(Group& group, ProcessPlan plan);
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  Result<void> start();
  // The log line of its start. For whoever started it, when no lock is held any more.
  void tell_start();
  // True once it has ended; false when the deadline is past.
  Result<bool> join(Deadline deadline);
  Result<bool> alive();
  Result<int> exit_code();
  Result<void> send_signal(int signal);
  // SIGTERM, then SIGKILL where that did not end it in time; waits for the end.
  Result<mpc_stop_way> stop(int64_t grace_ns);
  // Also to all of its descendants.
  Result<void> send_signal_to_tree(int signal);
  Result<Fd> sentinel();
  Result<void> detach();
  Result<mpc_process_usage> usage();
  Result<bool> is_daemon();
  Result<void> set_daemon(bool daemon);
  Result<void> close();
  Result<int32_t> pid();
  Result<std::string> name();
  Result<void> set_name(std::string name);
  mpc_process_state state();
  std::string describe();
  // The creator's end of a pipe, which is the caller's from then on.
  Result<int> take_pipe(uint32_t which);
  void drop_pipes();

  // Looks whether it has ended, reaps it and sweeps its record. For those who own it.
  bool reap();
  // The same where a lock is held: say_why_not_begun() is to follow when it is not.
  bool reap_silently();
  void say_why_not_begun();
  bool started_here() const;
  bool daemon() const { return plan_.daemon; }
  bool detached() const { return detached_.load(); }
  int32_t started_pid() const { return pid_; }
  int ended_with() const { return exit_code_; }
  Owner record() const { return record_; }
  // Why it ended before its function was called; "" where that is not known. Of one that is the
  // library's own, which is not said in the log.
  std::string take_why_not_begun();

 private:
  Result<void> check_mine() const;
  Result<void> check_open() const;
  Result<void> prepare(StartSetup& setup, StartRequest& request);
  void note_setup(StartSetup& setup);
  std::unique_lock<std::mutex> lock_if_mine();
  bool reap_locked();
  bool reap_locked(HeldPidfd& pidfd);
  bool reap_served(HeldPidfd& pidfd);
  Result<bool> start_once();
  Result<void> check_started_locked() const;
  Result<bool> signal_if_running(int signal);
  Self child_of_this_process() const;
  Result<bool> untied();
  void note_end(int exit_code);
  void note_report();

  Group& group_;
  ProcessPlan plan_;
  std::mutex mutex_;  // all below; never held while waiting
  mpc_process_state state_ = MPC_PROCESS_INITIAL;
  std::string path_;
  Owner creator_;
  int32_t creator_pid_;
  Owner record_;
  int32_t pid_ = 0;
  uint64_t message_ = 0;  // offset; 0: none
  int exit_code_ = 0;
  bool served_ = false;  // a fork server's child
  int32_t server_pid_ = 0;
  uint64_t server_identity_ = 0;
  std::string why_not_begun_;  // not said yet
  std::string warning_;        // of a server that was made for it; not said yet
  mpc_process_usage usage_ = MPC_PROCESS_USAGE_INIT;
  std::atomic<bool> detached_;
  std::array<HeldPipe, 3> pipes_;
  SetupReport setup_report_;
};

}  // namespace mpc

#endif
