// SPDX-License-Identifier: Apache-2.0
// A block: shared bytes that live as long as somebody is attached.
#ifndef MPC_SHARED_BLOCK_HPP
#define MPC_SHARED_BLOCK_HPP

#include "base/handles.hpp"
#include "group/attachment.hpp"
#include "group/group.hpp"

namespace mpc {

class Block {
 public:
  static constexpr HandleKind kHandleKind = HandleKind::kBlock;

  static Result<Block*> create(Group& group, uint64_t size);
  static Result<Block*> attach(Group& group, ObjectId id);
  ~Block();
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;

  void* address() const;
  uint64_t size() const { return size_; }
  ObjectId id() const { return attachment_->id; }
  bool live() const;
  void destroy();

 private:
  Block(Group& group, Attachment* attachment);
  Group& group_;
  Attachment* attachment_;
  uint64_t body_;
  uint64_t size_;
};

}  // namespace mpc

#endif
