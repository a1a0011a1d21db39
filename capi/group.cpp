// SPDX-License-Identifier: Apache-2.0
#include <mpc/group.h>

#include "boundary.hpp"
#include "group/object.hpp"
#include "group/participant.hpp"
#include "group/space.hpp"
#include "group/sweep.hpp"
#include "process/children.hpp"
#include "process/server_link.hpp"

namespace mpc {
namespace {

// Runs `body(group)` in this process's group.
template <class Body>
mpc_status guarded_in_group(Body&& body) noexcept {
  return guarded([&]() -> Result<void> {
    Result<Group*> group = current_group();
    if (!group) return group.error();
    return body(**group);
  });
}

uint64_t count_participants(const Group& group) {
  uint64_t count = 0;
  uint32_t high = group.header().participants_high.load();
  for (uint32_t i = 0; i < high; ++i) {
    const Participant& record = group.participant(i);
    ParticipantWord now{record.state.load()};
    if (now.state() == ParticipantState::kLive && record.server.load() == 0) ++count;
  }
  return count;
}

}  // namespace
}  // namespace mpc

extern "C" {

using mpc::Group;
using mpc::Result;

mpc_status mpc_group_configure(const mpc_group_options* options) {
  return mpc::guarded([&]() -> Result<void> {
    Result<mpc_group_options> taken = mpc::take_options(options, sizeof(mpc_group_options));
    if (!taken) return taken.error();
    return mpc::choose_group({taken->address_space, taken->memory_limit});
  });
}

mpc_status mpc_group_join(void) {
  return mpc::guarded_in_group([](Group&) -> Result<void> { return {}; });
}

mpc_status mpc_group_leave(void) {
  return mpc::guarded([]() -> Result<void> {
    if (mpc::group_if_any() == nullptr) return {};
    // A child that has not called anything since fork() has no part in the group to end.
    Result<Group*> group = mpc::current_group();
    if (!group) return group.error();
    size_t handles = mpc::handle_count();
    size_t children = mpc::children_running();
    if (handles > 0 || children > 0) {
      return mpc::failure(MPC_ESTATE,
                          "%zu handles are open in this process and %zu children run; end them "
                          "first",
                          handles, children);
    }
    if (mpc::Group* group = mpc::group_if_any()) mpc::servers_end(*group);
    mpc::children_forget();
    mpc::leave_group();
    return {};
  });
}

mpc_status mpc_group_alloc(size_t size, void** out_address) {
  return mpc::guarded_in_group([&](Group& group) -> Result<void> {
    if (out_address == nullptr) return mpc::null_argument("out_address");
    Result<uint64_t> offset = mpc::space_allocate(group, size);
    if (!offset) return offset.error();
    *out_address = group.at(*offset);
    return {};
  });
}

mpc_status mpc_group_publish(void* address) {
  return mpc::guarded_in_group(
      [&](Group& group) { return mpc::space_publish(group, group.offset_of(address)); });
}

mpc_status mpc_group_free(void* address) {
  if (address == nullptr) return MPC_OK;
  return mpc::guarded_in_group(
      [&](Group& group) { return mpc::space_free(group, group.offset_of(address)); });
}

mpc_status mpc_group_sweep(uint32_t* out_swept) {
  return mpc::guarded_in_group([&](Group& group) -> Result<void> {
    (void)mpc::children_alive();
    uint32_t swept = mpc::sweep_all(group);
    mpc::space_trim(group);
    if (out_swept != nullptr) *out_swept = swept;
    return {};
  });
}

mpc_status mpc_group_stats_get(mpc_group_stats* stats) {
  return mpc::guarded_in_group([&](Group& group) -> Result<void> {
    if (stats == nullptr) return mpc::null_argument("stats");
    size_t size = stats->struct_size;
    if (size < offsetof(mpc_group_stats, address)) {
      return mpc::failure(MPC_EINVAL, "struct_size is %zu; start from MPC_GROUP_STATS_INIT", size);
    }
    mpc::SpaceCensus census = mpc::space_census(group, group.self);
    mpc_group_stats filled = MPC_GROUP_STATS_INIT;
    filled.struct_size = size;
    filled.id = group.header().id;
    filled.address = reinterpret_cast<uint64_t>(group.at(0));
    filled.address_space = group.header().size;
    filled.memory_limit = group.header().limit.load();
    filled.memory_used = census.regions * mpc::kRegionSize;
    filled.blocks = census.blocks;
    filled.bytes = census.bytes;
    filled.own_bytes = census.own_bytes;
    filled.objects = mpc::object_count(group);
    filled.participants = mpc::count_participants(group);
    filled.starts = group.header().starts.load();
    filled.deaths = group.header().deaths.load();
    memcpy(stats, &filled, std::min(size, sizeof filled));
    return {};
  });
}
}
