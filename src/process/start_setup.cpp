// SPDX-License-Identifier: Apache-2.0
#include "process/start_setup.hpp"

#include <errno.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <string.h>
#include <sys/mman.h>

namespace mpc {

SetupReport::~SetupReport() {
  if (place_ != nullptr) munmap(place_, kSize);
}

Result<void> SetupReport::make() {
  if (place_ != nullptr) return {};
  void* place = mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (place == MAP_FAILED) return system_failure("mmap", errno);
  place_ = static_cast<char*>(place);
  return {};
}

std::string SetupReport::take() {
  SetupReport mine = std::move(*this);
  return mine.place_ == nullptr ? std::string()
                                : std::string(mine.place_, strnlen(mine.place_, kSize));
}

void setup_report(const Error& error, char* report, size_t size) {
  snprintf(report, size, "%s", error.message.c_str());
}

bool setup_forked_child(const StartSetup& setup) {
  Result<void> done = setup.descriptors.put();
  // What the creator has read ahead of its own input is not in the child's.
  if (setup.descriptors.gives(STDIN_FILENO)) __fpurge(stdin);
  if (done) done = setup_apply(*setup.wanted);
  if (!done) setup_report(done.error(), setup.report, SetupReport::kSize);
  return static_cast<bool>(done);
}

}  // namespace mpc
