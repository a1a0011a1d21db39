// SPDX-License-Identifier: Apache-2.0
#include "process/packed_function.hpp"

#include <cstring>

#include "base/child_page.hpp"

namespace mpc {
namespace {

struct Head {
  uint64_t offset;
  uint32_t in_program;
  uint32_t object;  // sizes of what follows
  uint32_t build_id;
  uint32_t registered;
};

}  // namespace

std::string function_pack(const FunctionName& name) {
  Head head{name.offset, name.in_program ? 1u : 0u, static_cast<uint32_t>(name.object.size()),
            static_cast<uint32_t>(name.build_id.size()),
            static_cast<uint32_t>(name.registered.size())};
  std::string bytes(reinterpret_cast<const char*>(&head), sizeof head);
  return bytes + name.object + name.build_id + name.registered;
}

MPC_CHILD_CODE Result<FunctionName> function_unpack(std::string_view bytes) {
  Head head;
  if (bytes.size() >= sizeof head) {
    memcpy(&head, bytes.data(), sizeof head);
    bytes.remove_prefix(sizeof head);
    uint64_t size = uint64_t{head.object} + head.build_id + head.registered;
    if (bytes.size() >= size) {
      FunctionName name;
      name.offset = head.offset;
      name.in_program = head.in_program != 0;
      name.object = bytes.substr(0, head.object);
      name.build_id = bytes.substr(head.object, head.build_id);
      name.registered = bytes.substr(head.object + head.build_id, head.registered);
      return name;
    }
  }
  return failure(MPC_EINTERNAL, "the name of a function is not one that this library writes");
}

}  // namespace mpc
