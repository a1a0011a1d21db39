// SPDX-License-Identifier: Apache-2.0
#include "boundary.hpp"

namespace mpc {

size_t copy_text(const char* text, char* buffer, size_t capacity) noexcept {
  size_t size = strlen(text);
  if (buffer != nullptr && capacity > 0) {
    size_t n = std::min(size, capacity - 1);
    memcpy(buffer, text, n);
    buffer[n] = '\0';
  }
  return size;
}

}  // namespace mpc
