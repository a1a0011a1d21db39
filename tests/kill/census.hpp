// SPDX-License-Identifier: Apache-2.0
// Reads the shared words of a group from outside the library: who is in it, and whom its words
// name.
#ifndef MPC_TESTS_KILL_CENSUS_HPP
#define MPC_TESTS_KILL_CENSUS_HPP

#include <sys/types.h>

#include <cstdint>
#include <optional>

#include "group/layout.hpp"

namespace kill_tests {

class Census {
 public:
  // `address`: where group memory is mapped in this process.
  explicit Census(uint64_t address) : base_(reinterpret_cast<char*>(address)) {}

  // The record of a process that has not been swept.
  std::optional<mpc::Owner> find(pid_t pid) const;
  // Whether that participant's record says that it is in the group.
  bool is_live(mpc::Owner owner) const;
  // How many objects it holds.
  uint32_t holds(mpc::Owner owner) const;
  // Processes in the middle of making room for a large block.
  bool half_gathered() const;

  // Throws Fault if a word names a participant that is not there, or a part of a large block
  // belongs to none.
  void expect_no_dead_named() const;

 private:
  const mpc::Header& header() const { return *reinterpret_cast<const mpc::Header*>(base_); }
  const mpc::Participant& participant(uint32_t index) const;
  const mpc::Region& region(uint32_t index) const;
  const mpc::Descriptor& descriptor(uint32_t index) const;
  void expect_present(uint32_t word, const char* where, uint32_t index) const;
  void check_participants() const;
  void check_regions() const;
  void check_blocks(uint32_t region, uint32_t stamp) const;
  void check_descriptors() const;

  char* base_;
};

}  // namespace kill_tests

#endif
