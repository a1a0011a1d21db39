// SPDX-License-Identifier: Apache-2.0
#include "process/environment.hpp"

#include <string.h>
#include <unistd.h>

#include <algorithm>

namespace mpc {

namespace {

// What the program's own setenv() may put another in the place of: it is no leak.
struct Kept {
  char* bytes;
  char** entries;
};
constinit Kept kept{nullptr, nullptr};

}  // namespace

std::string environment_text(const char* const* environment) {
  std::string text;
  if (environment == nullptr) return text;
  for (; *environment != nullptr; ++environment)
    text.append(*environment, strlen(*environment) + 1);
  return text;
}

// Kept for good: the program may hold on to any of it, as to what getenv() gives.
void environment_replace(const std::string& text) {
  auto count = static_cast<size_t>(std::count(text.begin(), text.end(), '\0'));
  char* all = new char[text.size() + 1];
  char* bytes = all;
  auto** entries = new char*[count + 1];
  memcpy(bytes, text.data(), text.size());
  bytes[text.size()] = '\0';
  for (size_t i = 0; i < count; ++i) {
    entries[i] = bytes;
    bytes += strlen(bytes) + 1;
  }
  entries[count] = nullptr;
  environ = entries;
  kept = Kept{all, entries};
}

}  // namespace mpc
