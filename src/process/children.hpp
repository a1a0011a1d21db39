// SPDX-License-Identifier: Apache-2.0
// The processes that this one has started and not yet seen the end of.
#ifndef MPC_PROCESS_CHILDREN_HPP
#define MPC_PROCESS_CHILDREN_HPP

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "group/group.hpp"
#include "os/held_pidfd.hpp"
#include "os/lifeline.hpp"

namespace mpc {

class Process;

// Remembers a process until it has ended, also where its handle is gone before.
void children_add(const std::shared_ptr<Process>& process);

// Those that are remembered and were started by this process (not by the one that it was forked
// from).
std::vector<std::shared_ptr<Process>> children();

// Reaps those that have ended. Not with a lock held: it may have something to tell of them.
void children_reap();

// The pids of those that run, in the order in which they were started; reaps the others.
std::vector<int32_t> children_alive();

size_t children_running();

// Forgets all, and the lifeline with them. REQUIRES: none runs.
void children_forget();

// Where children of this process tie themselves to. Not while one is being started.
Result<LifelineAddress> lifeline_of_this_process(Group& group);

// Makes room for who ties itself there.
void tidy_lifeline();

// Unties a child from this process's life; `pidfd` is the child's.
Untied untie_child(int pidfd, int32_t pid);

// What Starting::keep() kept for this process, if it did.
HeldPidfd newest_child_pidfd(const Process* process);

// The time in which one child is started: what each start needs is ready, and other threads that
// start one wait, so that none of their children inherits what is lent to this one.
class Starting {
 public:
  static Result<Starting> begin(Group& group);
  Starting(Starting&& other) noexcept
      : tie_(other.tie_), begun_(std::exchange(other.begun_, false)) {}
  ~Starting();
  const Tie& tie() const { return tie_; }
  void done(int32_t pid) { pid_ = pid; }
  // Keeps a pidfd of the one that was started until the next is started or this one is joined,
  // which is often at once.
  static void keep(const Process* process, HeldPidfd pidfd);

 private:
  explicit Starting(const Tie& tie) : tie_(tie) {}
  Tie tie_;
  int32_t pid_ = 0;
  bool begun_ = true;
};

}  // namespace mpc

#endif
