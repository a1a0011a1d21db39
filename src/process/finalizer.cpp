// SPDX-License-Identifier: Apache-2.0
#include "process/finalizer.hpp"

#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "base/child_page.hpp"
#include "base/local_lock.hpp"

namespace mpc {
namespace {

struct Finalizer {
  mpc_finalizer_fn function;
  void* user_data;
  int priority;
  uint64_t number;
};

bool runs_before(const Finalizer& one, const Finalizer& other) {
  return one.priority != other.priority ? one.priority > other.priority : one.number > other.number;
}

struct Registry {
  pid_t process;                    // whose they are; 0: there are none
  uint64_t last;                    // number
  std::vector<Finalizer>* entries;  // never destroyed: they are run while the program exits
};
MPC_CHILD_PAGE Registry registry{0, 0, nullptr};  // under LocalLock

bool is_mine() { return registry.process != 0 && registry.process == getpid(); }

// The next of those that were there when `last` was the newest. REQUIRES: LocalLock.
bool take_next(int least_priority, uint64_t last, Finalizer& out_next) {
  if (!is_mine()) return false;
  std::vector<Finalizer>& entries = *registry.entries;
  auto next = entries.end();
  for (auto each = entries.begin(); each != entries.end(); ++each) {
    if (each->priority < least_priority || each->number > last) continue;
    if (next == entries.end() || runs_before(*each, *next)) next = each;
  }
  if (next == entries.end()) return false;
  out_next = *next;
  entries.erase(next);
  return true;
}

}  // namespace

uint64_t finalizer_add(mpc_finalizer_fn function, void* user_data, int priority) {
  LocalLock lock;
  if (registry.entries == nullptr) registry.entries = new std::vector<Finalizer>;
  if (!is_mine()) registry.entries->clear();
  registry.entries->push_back({function, user_data, priority, registry.last + 1});
  registry.process = getpid();
  return ++registry.last;
}

bool finalizer_cancel(uint64_t number) {
  LocalLock lock;
  if (!is_mine()) return false;
  return std::erase_if(*registry.entries,
                       [&](const Finalizer& each) { return each.number == number; }) != 0;
}

void finalizers_run(int least_priority) {
  if (!finalizers_any()) return;
  uint64_t last;
  {
    LocalLock lock;
    last = registry.last;
  }
  for (;;) {
    Finalizer next;
    {
      LocalLock lock;
      if (!take_next(least_priority, last, next)) return;
    }
    next.function(next.user_data);
  }
}

MPC_CHILD_CODE bool finalizers_any() { return is_mine(); }

MPC_CHILD_CODE void finalizers_forget() { registry.process = 0; }

}  // namespace mpc
