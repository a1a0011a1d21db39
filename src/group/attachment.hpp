// SPDX-License-Identifier: Apache-2.0
// What this process is attached to: one holder word for each object, however many handles.
#ifndef MPC_GROUP_ATTACHMENT_HPP
#define MPC_GROUP_ATTACHMENT_HPP

#include <atomic>

#include "group/object.hpp"

namespace mpc {

struct Attachment {
  ObjectId id;
  uint32_t handles = 0;            // under LocalLock
  std::atomic<uint32_t> owner{0};  // in whose name: a child that inherited it has another
  std::atomic<bool> stale{false};  // a child found it gone when it came to attach
};

// One more handle on an object; attaches this process if it is the first. `already` says that a
// holder word of this process exists, as it does for what it has just made.
Result<Attachment*> attachment_take(Group& group, ObjectId id, bool already);

// One handle less.
void attachment_drop(Group& group, Attachment* attachment);

// Whether the object can be used through this. A child attaches here, in its own name, to what it
// inherited: at the first use, so that a worker does not keep all that its parent once held.
bool attachment_usable(Group& group, Attachment* attachment);

// The same for all that was inherited, at once: in a child of the program's own fork.
void attachments_renew(Group& group);

}  // namespace mpc

#endif
