// SPDX-License-Identifier: Apache-2.0
// While one looks who the descendants are, they make more, and a pid changes hands. So each that is
// found is stopped, and one looks again until all stand still and nobody new is seen: who is
// stopped starts nobody. Only then the signal is sent. And a process is known by what the kernel
// calls it for good (os/identity.hpp), which is compared at each signal; no descriptor is kept for
// each, for a tree may have more members than a process may have descriptors.
#include "process/tree.hpp"

#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "base/deadline.hpp"
#include "group/participant.hpp"
#include "os/identity.hpp"
#include "os/proc_tree.hpp"

namespace mpc {
namespace {

// A thread in the middle of vfork() stands still only when its child does something, which is
// stopped as well: it is not waited for longer than this.
constexpr int64_t kPatience = 200000000;
constexpr int64_t kNap = 500000;

enum class Sent { kYes, kGone, kRefused };

struct Member {
  int32_t pid;
  uint64_t identity;
  bool was_stopped;  // by somebody else, before
};

Sent send(const Member& member, int signal) {
  Fd pidfd = open_pidfd(member.pid);
  if (!pidfd) {
    bool gone = errno == ESRCH || errno == ENOENT || errno == EINVAL;
    return gone ? Sent::kGone : Sent::kRefused;
  }
  if (pidfd_identity(pidfd.get(), member.pid) != member.identity) return Sent::kGone;
  if (syscall(SYS_pidfd_send_signal, pidfd.get(), signal, nullptr, 0) == 0) return Sent::kYes;
  return errno == ESRCH ? Sent::kGone : Sent::kRefused;
}

class Tree {
 public:
  explicit Tree(Group& group) : group_(group) {}

  bool add(int32_t pid, uint64_t identity) {
    if (identity == 0 || pid == getpid() || has(pid, identity)) return false;
    Member member{pid, identity, is_stopped(pid)};
    Sent sent = send(member, SIGSTOP);
    if (sent == Sent::kGone) return false;
    if (sent == Sent::kRefused) refused_ = errno;
    members_.push_back(member);
    return true;
  }

  void add_owner(Owner owner) { owners_.push_back(owner); }

  // Until nobody is found any more though all stand still.
  Result<void> grow() {
    Deadline deadline = Deadline::after(kPatience);
    for (;;) {
      bool still = stands_still() || deadline.past();
      Result<bool> more = find_more();
      if (!more) return more.error();
      if (*more) {
        deadline = Deadline::after(kPatience);
      } else if (still) {
        return {};
      } else {
        timespec nap{0, kNap};
        nanosleep(&nap, nullptr);
      }
    }
  }

  // Those whom the group knows as started by a member. True if any was new.
  bool find_started() {
    bool found = false;
    uint32_t high = group_.header().participants_high.load();
    for (uint32_t i = 0; i < high; ++i) {
      Participant& record = group_.participant(i);
      ParticipantWord now{record.state.load()};
      if (now.state() != ParticipantState::kLive) continue;
      Owner owner = Owner::make(i, now.generation());
      if (owner == group_.self || knows(owner)) continue;
      auto pid = static_cast<int32_t>(now.by());
      uint64_t identity = record.identity.load();
      bool started = knows(Owner{record.starter.load()});
      if (record.state.load() != now.word || !(started || has(pid, identity))) continue;
      owners_.push_back(owner);
      found = add(pid, identity) || found;
    }
    return found;
  }

  // The youngest first: who is woken, and ends, takes those down who are tied to its life.
  void signal_all(int signal) {
    for (auto member = members_.rbegin(); member != members_.rend(); ++member) {
      if (send(*member, signal) == Sent::kRefused) refused_ = errno;
    }
  }

  void wake_all() {
    for (auto member = members_.rbegin(); member != members_.rend(); ++member) {
      if (!member->was_stopped) (void)send(*member, SIGCONT);
    }
  }

  // errno of a signal that the kernel refused; 0: none.
  int refused() const { return refused_; }

 private:
  bool has(int32_t pid, uint64_t identity) const {
    return std::any_of(members_.begin(), members_.end(), [&](const Member& member) {
      return member.pid == pid && member.identity == identity;
    });
  }
  bool knows(Owner owner) const {
    return std::find(owners_.begin(), owners_.end(), owner) != owners_.end();
  }
  bool stands_still() const {
    return std::all_of(members_.begin(), members_.end(),
                       [](const Member& member) { return is_stopped(member.pid); });
  }

  // A member whose child this process is, at a time at which both live; null if there is none.
  const Member* parent_among_members(int32_t pid) const {
    int32_t parent = parent_of(pid);
    for (const Member& member : members_) {
      if (member.pid != parent) continue;
      return process_life(member.pid, member.identity) == Life::kAlive ? &member : nullptr;
    }
    return nullptr;
  }

  Result<bool> find_more() {
    bool found = find_started();
    Result<std::vector<ProcessAndParent>> all = processes_and_parents();
    if (!all) return all.error();
    for (const ProcessAndParent& each : *all) {
      bool of_a_member = std::any_of(members_.begin(), members_.end(), [&](const Member& member) {
        return member.pid == each.parent;
      });
      if (!of_a_member) continue;
      Fd pidfd = open_pidfd(each.pid);
      if (!pidfd && (errno == EMFILE || errno == ENFILE || errno == ENOMEM)) {
        return system_failure("pidfd_open of a descendant", errno);
      }
      // What is read while the descriptor's process has not ended is of that process.
      if (!pidfd || parent_among_members(each.pid) == nullptr) continue;
      uint64_t identity = pidfd_identity(pidfd.get(), each.pid);
      if (pidfd_ended(pidfd.get(), 0)) continue;
      found = add(each.pid, identity) || found;
    }
    return found;
  }

  Group& group_;
  std::vector<Member> members_;  // parents before their children
  std::vector<Owner> owners_;    // the records of members, also of those that have ended
  int refused_ = 0;
};

}  // namespace

Result<void> signal_tree(Group& group, const TreeRoot& root, int signal) {
  if (!proc_is_ours() || root.identity == 0) {
    return failure(MPC_ENOTSUP,
                   "/proc does not show this process's namespace, so who the descendants are is "
                   "not known; nothing was sent");
  }
  Tree tree(group);
  tree.add_owner(root.record);
  if (!tree.add(root.pid, root.identity)) return {};
  if (Result<void> grown = tree.grow(); !grown) {
    tree.wake_all();
    return grown;
  }
  tree.signal_all(signal);
  if (signal == SIGKILL) {
    // Whom somebody else was starting for a member at that moment.
    while (tree.find_started()) tree.signal_all(SIGKILL);
  } else {
    tree.wake_all();
  }
  if (tree.refused() != 0) {
    return system_failure("a signal to a descendant, the others have theirs", tree.refused());
  }
  return {};
}

}  // namespace mpc
