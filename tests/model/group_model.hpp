// SPDX-License-Identifier: Apache-2.0
// A group in miniature for the interleaver: the library's own code over real group memory, with
// several participants in one test process and the interleaver in the place of the kernel.
//
// What the library asks the system for is answered here (kernel_stand_in.cpp): who the caller is,
// whether a participant is dead, what time it is (always the same), and memory, of which there is
// enough. Giving memory back is a step of its own and empties what was in it.
#ifndef MPC_TESTS_MODEL_GROUP_MODEL_HPP
#define MPC_TESTS_MODEL_GROUP_MODEL_HPP

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "group/group.hpp"
#include "interleaver.hpp"
#include "kernel_stand_in.hpp"

namespace mpc::model {

class GroupModel {
 public:
  // `regions`: how many MiB of heap may be in use.
  GroupModel(std::string name, Limits limits, uint32_t regions);
  ~GroupModel();
  GroupModel(const GroupModel&) = delete;
  GroupModel& operator=(const GroupModel&) = delete;

  using Body = std::function<void(Group&)>;

  // A participant that is in the group from the start. `before` runs as it, before anything.
  Group& add(std::string name, Body body, const Body& before = {});
  // A process that is not a participant yet.
  Group& add_outsider(std::string name, Body body);
  // One that runs `before` as a participant, and is dead when the model begins.
  Owner add_dead(const Body& before);

  // Plain memory that says how it went; see Interleaver::keep.
  template <class T>
  void keep(const T& outcome) {
    interleaver_.keep(outcome);
  }

  // Runs at each end, when an observer has swept up the dead and before the books are looked at.
  // Returns what is wrong.
  void at_each_end(std::function<std::string(Group& observer)> check);

  void require(bool holds, const char* what) { interleaver_.require(holds, what); }
  bool is_dead(int participant) { return interleaver_.is_dead(participant); }

  // The next to join or to be reserved for gets this record, if it is free by then.
  void next_record(uint32_t index);

  Group& observer() { return *observer_; }

  // The first word of a block's contents. Memory that somebody owns must keep it.
  static Word<uint64_t>& contents(Group& group, uint64_t offset);

  Interleaver* interleaver() { return &interleaver_; }

 private:
  Group& open();
  std::string check_end();
  void call_words();

  Interleaver interleaver_;
  Mapping mapping_;
  std::unique_ptr<KernelStandIn> kernel_;
  std::unique_ptr<Group> observer_;
  std::vector<std::unique_ptr<Group>> groups_;
  std::function<std::string(Group&)> check_;
  int participants_ = 0;
};

}  // namespace mpc::model

#endif
