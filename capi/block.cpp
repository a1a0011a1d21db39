// SPDX-License-Identifier: Apache-2.0
#include "shared/block.hpp"

#include <mpc/block.h>

#include "boundary.hpp"
#include "refs.hpp"

extern "C" {

using mpc::Block;
using mpc::Group;
using mpc::Result;

mpc_status mpc_block_create(size_t size, mpc_block** out_block) {
  return mpc::guarded_open<Block>(out_block,
                                  [&](Group& group) { return Block::create(group, size); });
}

mpc_status mpc_block_attach(const mpc_ref* ref, mpc_block** out_block) {
  return mpc::guarded_open<Block>(out_block, [&](Group& group) -> Result<Block*> {
    Result<mpc::ObjectId> id = mpc::object_of(group, ref, MPC_KIND_BLOCK);
    if (!id) return id.error();
    return Block::attach(group, *id);
  });
}

void* mpc_block_address(mpc_block* block) {
  mpc::CallScope scope;
  mpc::Pinned<Block> pinned(block);
  return pinned && mpc::current_group() ? pinned->address() : nullptr;
}

size_t mpc_block_size(mpc_block* block) {
  mpc::Pinned<Block> pinned(block);
  return pinned ? pinned->size() : 0;
}

mpc_status mpc_block_ref(mpc_block* block, mpc_ref* out_ref) {
  return mpc::guarded_on<Block>(block, [&](Block& object) -> Result<void> {
    if (out_ref == nullptr) return mpc::null_argument("out_ref");
    Result<Group*> group = mpc::current_group();
    if (!group) return group.error();
    if (!object.live()) return mpc::failure(MPC_ESTALE, "the block was destroyed");
    *out_ref = mpc::ref_to(**group, MPC_KIND_BLOCK, object.id());
    return {};
  });
}

mpc_status mpc_block_detach(mpc_block* block) {
  if (block == nullptr) return MPC_OK;
  return mpc::guarded([&]() -> Result<void> {
    if (Result<Group*> group = mpc::current_group(); !group) return group.error();
    if (!mpc::handle_close(mpc::HandleKind::kBlock, block)) return mpc::used_up<Block>();
    return {};
  });
}

mpc_status mpc_block_destroy(mpc_block* block) {
  if (block == nullptr) return MPC_OK;
  return mpc::guarded([&]() -> Result<void> {
    if (Result<Group*> group = mpc::current_group(); !group) return group.error();
    mpc::Pinned<Block> pinned(block);
    if (!pinned) return mpc::used_up<Block>();
    pinned->destroy();
    mpc::handle_close(mpc::HandleKind::kBlock, block);
    return {};
  });
}
}
