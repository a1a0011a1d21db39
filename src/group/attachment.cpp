// SPDX-License-Identifier: Apache-2.0
#include "group/attachment.hpp"

#include <map>
#include <memory>

#include "base/local_lock.hpp"

namespace mpc {
namespace {

using Key = std::pair<uint32_t, uint32_t>;
// Never destroyed: calls may come from other threads while the program exits.
std::map<Key, std::unique_ptr<Attachment>>& table() {
  static auto* attachments = new std::map<Key, std::unique_ptr<Attachment>>;
  return *attachments;
}

// REQUIRES: LocalLock.
void renew(Group& group, Attachment& attachment) {
  if (attachment.owner.load() == group.self.word || attachment.stale.load()) return;
  if (object_attach(group, attachment.id, group.self)) {
    attachment.owner.store(group.self.word);
  } else {
    attachment.stale.store(true);
  }
}

}  // namespace

Result<Attachment*> attachment_take(Group& group, ObjectId id, bool already) {
  LocalLock lock;
  std::unique_ptr<Attachment>& entry = table()[Key(id.index, id.generation)];
  if (entry == nullptr) {
    if (!already) {
      if (Result<void> attached = object_attach(group, id, group.self); !attached) {
        table().erase(Key(id.index, id.generation));
        return attached.error();
      }
    }
    entry = std::make_unique<Attachment>();
    entry->id = id;
    entry->owner.store(group.self.word);
  } else {
    renew(group, *entry);
    if (entry->stale.load() || !object_live(group, id)) {
      return failure(MPC_ESTALE, "the object that the ref names has ended");
    }
  }
  ++entry->handles;
  return entry.get();
}

void attachment_drop(Group& group, Attachment* attachment) {
  LocalLock lock;
  if (--attachment->handles > 0) return;
  if (attachment->owner.load() == group.self.word) {
    object_detach(group, attachment->id, group.self);
  }
  table().erase(Key(attachment->id.index, attachment->id.generation));
}

bool attachment_usable(Group& group, Attachment* attachment) {
  if (attachment->owner.load(std::memory_order_relaxed) != group.self.word) {
    LocalLock lock;
    renew(group, *attachment);
  }
  return !attachment->stale.load(std::memory_order_relaxed);
}

void attachments_renew(Group& group) {
  LocalLock lock;
  for (auto& [key, attachment] : table()) renew(group, *attachment);
}

}  // namespace mpc
