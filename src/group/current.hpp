// SPDX-License-Identifier: Apache-2.0
// The group of this process: made at the first call that needs it, joined anew after a fork.
#ifndef MPC_GROUP_CURRENT_HPP
#define MPC_GROUP_CURRENT_HPP

#include "group/group.hpp"

namespace mpc {

struct GroupChoice {
  uint64_t address_space = 0;  // 0: default
  uint64_t memory_limit = 0;   // 0: default
};

// MPC_ESTATE if the process belongs to a group.
Result<void> choose_group(const GroupChoice& choice);

// The group, with this process as a participant.
Result<Group*> current_group();

// The group if there is one, whether this process has joined or not yet (after a fork).
Group* group_if_any();

// A child that the library started: it is `reserved`. False if its starter is dead.
bool become_child(Group& group, Owner reserved, Owner starter);

// A fresh image that the library started: maps the group of its starter, whose memory file `fd` is.
// The process is `reserved`. MPC_ESTATE if its starter is dead. REQUIRES: LocalLock, or that every
// other thread is refused still (set_bootstrapping()).
Result<Group*> adopt_group(int fd, uintptr_t base, uint64_t size, Owner reserved, Owner starter);

// Makes this process, which belongs to no group, a participant of the one whose memory file `fd`
// is, mapped at `base`. Takes the descriptor over. MPC_ESTATE if the process belongs to one by now.
Result<Group*> join_group(int fd, uintptr_t base, uint64_t size);

// Whether this process may do that; MPC_ESTATE if it belongs to a group.
Result<void> may_join_group();

// While true, current_group() answers MPC_EBOOTSTRAP: in a fresh image before it is what it is to
// be, so that a global constructor which starts processes does not multiply.
void set_bootstrapping(bool bootstrapping);

// Whether the program forked since this process's last call.
bool forked();

// Leaves and unmaps. REQUIRES: nothing of it is in use.
void leave_group();

}  // namespace mpc

#endif
