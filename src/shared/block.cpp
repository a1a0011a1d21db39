// SPDX-License-Identifier: Apache-2.0
#include "shared/block.hpp"

#include <cstring>

namespace mpc {

Block::Block(Group& group, Attachment* attachment)
    : group_(group),
      attachment_(attachment),
      body_(object_body(group, attachment->id)),
      size_(group.descriptor(attachment->id.index).size.load()) {}

Block::~Block() { attachment_drop(group_, attachment_); }

Result<Block*> Block::create(Group& group, uint64_t size) {
  if (size == 0) return failure(MPC_EINVAL, "a block of 0 bytes; ask for at least 1");
  Result<NewObject> object = NewObject::begin(group, MPC_KIND_BLOCK, size);
  if (!object) return object.error();
  Result<uint64_t> body = object->allocate(size);
  if (!body) return body.error();
  memset(group.at(*body), 0, size);
  ObjectId id = object->id();
  if (Result<void> live = object->commit(); !live) return live.error();
  Result<Attachment*> attachment = attachment_take(group, id, true);
  if (!attachment) return attachment.error();
  return new Block(group, *attachment);
}

Result<Block*> Block::attach(Group& group, ObjectId id) {
  Result<Attachment*> attachment = attachment_take(group, id, false);
  if (!attachment) return attachment.error();
  if (group.descriptor(id.index).kind.load() != MPC_KIND_BLOCK) {
    attachment_drop(group, *attachment);
    return failure(MPC_EINVAL, "the ref says that it names a block, and it names something else");
  }
  return new Block(group, *attachment);
}

void* Block::address() const {
  return attachment_usable(group_, attachment_) ? group_.at(body_) : nullptr;
}

bool Block::live() const {
  return attachment_usable(group_, attachment_) && object_live(group_, attachment_->id);
}

void Block::destroy() {
  if (attachment_usable(group_, attachment_)) object_destroy(group_, attachment_->id);
}

}  // namespace mpc
