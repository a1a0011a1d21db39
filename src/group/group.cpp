// SPDX-License-Identifier: Apache-2.0
#include "group/group.hpp"

#include <new>

#include "base/child_page.hpp"

namespace mpc {
namespace {

Life ask_kernel(const Group& group, int32_t pid, uint64_t identity) {
  return process_life_mapping(pid, identity, group.header().inode);
}

}  // namespace

Group::Group(Mapping mapping, const Plan& plan)
    : life(ask_kernel),
      mapping_(mapping),
      base_(mapping.base),
      participants_(reinterpret_cast<Participant*>(base_ + plan.participants_offset)),
      descriptors_(reinterpret_cast<Descriptor*>(base_ + plan.descriptors_offset)),
      regions_(reinterpret_cast<Region*>(base_ + plan.regions_offset)),
      block_words_(reinterpret_cast<Word<uint64_t>*>(base_ + plan.blocks_offset)),
      heap_(base_ + plan.heap_offset) {}

Group::Group(Group&& other) noexcept
    : self(other.self),
      life(other.life),
      mapping_(other.mapping_),
      base_(other.base_),
      participants_(other.participants_),
      descriptors_(other.descriptors_),
      regions_(other.regions_),
      block_words_(other.block_words_),
      heap_(other.heap_) {}

MPC_CHILD_CODE void Group::renew_private() {
  // Whoever held it was a thread of the parent's.
  new (&closing) ThreadLock;
  hints.intents.store(0);
}

Group Group::format(Mapping mapping, uint64_t id, uint64_t limit) {
  Plan plan = plan_for(mapping.size);
  Group group(mapping, plan);
  Header& header = group.header();
  header.layout_version = kLayoutVersion;
  header.participants = kParticipants;
  header.size = mapping.size;
  header.base = reinterpret_cast<uint64_t>(mapping.base);
  header.id = id;
  header.participants_offset = plan.participants_offset;
  header.descriptors_offset = plan.descriptors_offset;
  header.regions_offset = plan.regions_offset;
  header.blocks_offset = plan.blocks_offset;
  header.heap_offset = plan.heap_offset;
  header.descriptors = plan.descriptors;
  header.regions = plan.regions;
  header.device = mapping.device;
  header.inode = mapping.inode;
  header.limit.store(limit);
  header.descriptors_high.store(1);  // 0 is no descriptor
  header.magic = kGroupMagic;
  return group;
}

MPC_CHILD_CODE Result<Group> Group::open(Mapping mapping) {
  Plan plan = plan_for(mapping.size);
  Group group(mapping, plan);
  const Header& header = group.header();
  if (header.magic != kGroupMagic) {
    return failure(MPC_EGROUP, "this memory is not a group's");
  }
  if (header.layout_version != kLayoutVersion || header.size != mapping.size) {
    return failure(MPC_ELAYOUT,
                   "the group's memory has layout version %u, this library speaks %u; use one "
                   "version of libmpc in all processes of a group",
                   header.layout_version, kLayoutVersion);
  }
  return group;
}

}  // namespace mpc
