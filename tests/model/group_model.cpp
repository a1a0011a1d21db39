// SPDX-License-Identifier: Apache-2.0
#include "group_model.hpp"

#include <sys/mman.h>

#include <cstdlib>
#include <utility>

#include "books.hpp"
#include "group/participant.hpp"
#include "group/sweep.hpp"

namespace mpc::model {
namespace {

Mapping map_memory() {
  Mapping mapping;
  mapping.size = kLeastGroup;
  void* base = mmap(nullptr, mapping.size, PROT_READ | PROT_WRITE,
                    MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED) std::abort();
  mapping.base = static_cast<char*>(base);
  return mapping;
}

Life ask_interleaver(const Group&, int32_t pid, uint64_t) {
  return KernelStandIn::is_dead(pid) ? Life::kDead : Life::kAlive;
}

void join(Group& group, const char* name) {
  if (!participant_join(group, name)) std::abort();
}

}  // namespace

GroupModel::GroupModel(std::string name, Limits limits, uint32_t regions)
    : interleaver_(std::move(name), limits), mapping_(map_memory()) {
  observer_ = std::make_unique<Group>(Group::format(mapping_, 1, uint64_t{regions} * kRegionSize));
  observer_->life = ask_interleaver;
  kernel_ = std::make_unique<KernelStandIn>(&interleaver_, mapping_, observer_->heap_offset());
  join(*observer_, "observer");
  interleaver_.keep(observer_->hints);
  call_words();
  interleaver_.at_each_end([this] { return check_end(); });
}

GroupModel::~GroupModel() {
  kernel_.reset();
  munmap(mapping_.base, mapping_.size);
}

Group& GroupModel::open() {
  Result<Group> group = Group::open(mapping_);
  if (!group) std::abort();
  groups_.push_back(std::make_unique<Group>(std::move(*group)));
  groups_.back()->life = ask_interleaver;
  return *groups_.back();
}

Group& GroupModel::add_outsider(std::string name, Body body) {
  Group& group = open();
  ++participants_;
  interleaver_.keep(group.self);
  interleaver_.keep(group.hints);
  interleaver_.participant(std::move(name), [&group, body = std::move(body)] { body(group); });
  return group;
}

Group& GroupModel::add(std::string name, Body body, const Body& before) {
  Group& group = add_outsider(name, std::move(body));
  KernelStandIn::act_as(kPids + participants_ - 1);
  join(group, name.c_str());
  interleaver_.call(group.own_record(), name + ".record");
  interleaver_.call(group.own_record().region_marks, name + ".region_marks");
  interleaver_.call(group.own_record().intents, name + ".intents");
  if (before) before(group);
  KernelStandIn::act_as(kObserverPid);
  return group;
}

Owner GroupModel::add_dead(const Body& before) {
  KernelStandIn::act_as(kDeadPid);
  Group& group = open();
  join(group, "the dead");
  before(group);
  interleaver_.call(group.own_record(), "dead.record");
  interleaver_.call(group.own_record().intents, "dead.intents");
  KernelStandIn::act_as(kObserverPid);
  return group.self;
}

void GroupModel::at_each_end(std::function<std::string(Group&)> check) {
  check_ = std::move(check);
}

void GroupModel::next_record(uint32_t index) {
  Header& header = observer_->header();
  // With fewer in use a fresh record is taken first.
  raise(header.participants_high, kRecordsInUse);
  header.join_cursor.store(index);
}

Word<uint64_t>& GroupModel::contents(Group& group, uint64_t offset) {
  return *reinterpret_cast<Word<uint64_t>*>(group.at(offset));
}

void GroupModel::call_words() {
  Header& header = observer_->header();
  interleaver_.call(header, "header");
  interleaver_.call(header.join_cursor, "join_cursor");
  interleaver_.call(header.deaths, "deaths");
  interleaver_.call(header.stamps, "stamps");
  interleaver_.call(header.regions_high, "regions_high");
  interleaver_.call(header.participants_high, "participants_high");
  interleaver_.call(header.descriptors_high, "descriptors_high");
  interleaver_.call(header.starts, "starts");
  for (uint32_t i = 0; i < 8; ++i) {
    const std::string number = std::to_string(i);
    interleaver_.call(observer_->descriptor(i), "descriptor " + number);
    interleaver_.call(observer_->descriptor(i).more, "more of " + number);
    interleaver_.call(observer_->descriptor(i).holders, "holders of " + number);
    interleaver_.call(observer_->region(i).word, "region " + number);
    interleaver_.call(observer_->region(i).info, "info of region " + number);
    interleaver_.call(&observer_->block_word(i, 0), sizeof(uint64_t) * kBlocksPerRegion,
                      "block words of " + number);
    interleaver_.call(observer_->heap(i), kRegionSize, "memory of " + number);
  }
}

std::string GroupModel::check_end() {
  sweep_all(*observer_);
  std::string wrong = look_for_the_dead(*observer_);
  if (wrong.empty()) wrong = look_for_the_unfinished(*observer_);
  if (wrong.empty() && check_) wrong = check_(*observer_);
  return wrong;
}

}  // namespace mpc::model
