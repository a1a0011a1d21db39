// SPDX-License-Identifier: Apache-2.0
#include "process/function.hpp"

#include <link.h>

namespace mpc {
namespace {

struct Walk {
  std::vector<std::pair<uintptr_t, uintptr_t>> ranges;
  unsigned long long unloads = 0;
};

int visit(dl_phdr_info* info, size_t, void* data) {
  auto* walk = static_cast<Walk*>(data);
  walk->unloads = info->dlpi_subs;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const ElfW(Phdr)& header = info->dlpi_phdr[i];
    if (header.p_type != PT_LOAD || (header.p_flags & PF_X) == 0) continue;
    uintptr_t start = info->dlpi_addr + header.p_vaddr;
    walk->ranges.emplace_back(start, start + header.p_memsz);
  }
  return 0;
}

Walk walk_now() {
  Walk walk;
  dl_iterate_phdr(visit, &walk);
  return walk;
}

}  // namespace

LoadedCode LoadedCode::now() {
  Walk walk = walk_now();
  LoadedCode code;
  code.ranges_ = std::move(walk.ranges);
  code.unloads_ = walk.unloads;
  return code;
}

bool LoadedCode::had(const void* function) const {
  // After an unload an address may belong to another object than it did.
  if (walk_now().unloads != unloads_) return false;
  auto address = reinterpret_cast<uintptr_t>(function);
  for (auto [start, end] : ranges_) {
    if (address >= start && address < end) return true;
  }
  return false;
}

}  // namespace mpc
