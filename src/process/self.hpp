// SPDX-License-Identifier: Apache-2.0
// What a process knows of itself: its name, whether it is a daemon, its place in the tree, and what
// its starter told it.
#ifndef MPC_PROCESS_SELF_HPP
#define MPC_PROCESS_SELF_HPP

#include <cstdint>
#include <string>

#include "group/layout.hpp"
#include "os/lifeline.hpp"
#include "process/authkey.hpp"

namespace mpc {

inline constexpr size_t kLongestName = 63;

// The first process of a tree, which all the others are not to outlive: the fork servers of the
// tree are tied to its life, so that each process of the tree can use each of them.
struct FirstProcess {
  Owner owner;  // none: the process itself is the first
  LifelineAddress lifeline;
};

struct Self {
  std::string name;
  std::string path;  // "" for the first process, "1:2" for the second child of its first child
  bool daemon = false;
  int32_t parent_pid = 0;  // who started it; 0: not this library
  bool served = false;     // forked by a fork server on its behalf
  std::string parent_name{};
  uint64_t parent_identity = 0;  // os/identity.hpp; 0: unknown
  AuthkeyCopy authkey{};         // its starter's at the start; authkey() tells its own
  FirstProcess first{};
};

// A copy; the library's children replace it before they run anything. `self` is kept for good.
Self self();
void become(const Self* self);

// Whether who started this process has ended.
bool orphaned();

// The path of the next child that this process makes.
std::string next_child_path();

}  // namespace mpc

#endif
