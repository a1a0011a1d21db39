// SPDX-License-Identifier: Apache-2.0
#include "process/self.hpp"

#include <unistd.h>

#include "base/child_page.hpp"
#include "base/local_lock.hpp"
#include "base/log.hpp"

namespace mpc {
namespace {

struct State {
  const Self* self;    // null: the first process
  const Self* before;  // what a fork server's child was before: kept, and so no leak
  uint64_t children;
};
MPC_CHILD_PAGE State state{nullptr, nullptr, 0};  // under LocalLock

}  // namespace

Self self() {
  LocalLock lock;
  return state.self != nullptr ? *state.self : Self{"MainProcess", "", false};
}

MPC_CHILD_CODE void become(const Self* self) {
  log_set_process_name(self->name.c_str());
  LocalLock lock;
  state = State{self, state.self, 0};
}

bool orphaned() {
  LocalLock lock;
  return state.self != nullptr && !state.self->served && getppid() != state.self->parent_pid;
}

std::string next_child_path() {
  LocalLock lock;
  std::string path = state.self != nullptr ? state.self->path : "";
  if (!path.empty()) path += ':';
  return path + std::to_string(++state.children);
}

}  // namespace mpc
