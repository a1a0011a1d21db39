// SPDX-License-Identifier: Apache-2.0
#include "process/preload.hpp"

#include "base/child_page.hpp"
#include "base/flat_bytes.hpp"
#include "base/local_lock.hpp"

namespace mpc {
namespace {

// Never destroyed: children may be started while the program's statics go.
std::string& chosen() {
  static auto* packed = new std::string;
  return *packed;
}

}  // namespace

std::string preload_pack(const Preload& preload) {
  if (preload.empty()) return {};
  FlatWriter writer;
  writer.put(static_cast<uint32_t>(preload.on_error));
  writer.put(preload.timeout_ns);
  writer.put_text(preload.init);
  writer.put(uint64_t{preload.libraries.size()});
  for (const std::string& library : preload.libraries) writer.put_text(library);
  return writer.take();
}

Result<Preload> preload_unpack(std::string_view bytes) {
  Preload preload;
  if (bytes.empty()) return preload;
  FlatReader reader(bytes);
  uint32_t on_error = 0;
  uint64_t count = 0;
  reader.get(on_error);
  reader.get(preload.timeout_ns);
  reader.get_text(preload.init);
  reader.get(count);
  // Each takes some bytes, so that a count that is too large ends at the end of these.
  for (uint64_t i = 0; i < count && i < bytes.size(); ++i) {
    reader.get_text(preload.libraries.emplace_back());
  }
  if (!reader.done() || on_error > static_cast<uint32_t>(PreloadErrors::kFail)) {
    return failure(MPC_EINTERNAL, "what a fork server is to preload is damaged (%zu bytes)",
                   bytes.size());
  }
  preload.on_error = static_cast<PreloadErrors>(on_error);
  return preload;
}

std::string preload_chosen() {
  LocalLock lock;
  return chosen();
}

MPC_CHILD_CODE void preload_choose(std::string packed) {
  LocalLock lock;
  chosen() = std::move(packed);
}

}  // namespace mpc
