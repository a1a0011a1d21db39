// SPDX-License-Identifier: Apache-2.0
#include "operation.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

#include "fault.hpp"

namespace kill_tests {

namespace {

// Mapped once, so that a case in being is no mapping more in the books.
constexpr size_t kSlots = 8;
Notes* slots = nullptr;
bool slot_used[kSlots];

}  // namespace

Case::Case() {
  if (slots == nullptr) {
    void* pages = mmap(nullptr, kSlots * sizeof(Notes), PROT_READ | PROT_WRITE,
                       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED) fault("no memory for victims' notes");
    slots = static_cast<Notes*>(pages);
  }
  slot_ = 0;
  while (slot_used[slot_]) ++slot_;
  slot_used[slot_] = true;
  memset(static_cast<void*>(&slots[slot_]), 0, sizeof(Notes));
}

Case::~Case() { slot_used[slot_] = false; }

Notes& Case::notes() { return slots[slot_]; }

void must(mpc_status status, const char* call) {
  if (status >= 0) return;
  char message[256];
  mpc_last_error_message(message, sizeof message);
  fprintf(stderr, "in a victim: %s: %s: %s\n", call, mpc_status_name(status), message);
  _exit(100);
}

void expect_ok(mpc_status status, const char* call) {
  if (status >= 0) return;
  char message[256];
  mpc_last_error_message(message, sizeof message);
  fault("a survivor's %s answered %s: %s", call, mpc_status_name(status), message);
}

}  // namespace kill_tests
