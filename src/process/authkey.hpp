// SPDX-License-Identifier: Apache-2.0
// The key by which the processes of one tree know each other. It lies in each process's own memory
// and in no other: never in group memory, which a core file or another process would show.
#ifndef MPC_PROCESS_AUTHKEY_HPP
#define MPC_PROCESS_AUTHKEY_HPP

#include <string.h>

#include <cstddef>
#include <cstdint>

#include "base/result.hpp"

namespace mpc {

inline constexpr size_t kLargestAuthkey = 64;

struct Authkey {
  uint32_t size = 0;  // 0: none
  unsigned char bytes[kLargestAuthkey] = {};
};

// A copy that leaves nothing behind.
struct AuthkeyCopy : Authkey {
  AuthkeyCopy() = default;
  explicit AuthkeyCopy(const Authkey& key) : Authkey(key) {}
  AuthkeyCopy(const AuthkeyCopy&) = default;
  AuthkeyCopy& operator=(const AuthkeyCopy&) = default;
  ~AuthkeyCopy() { explicit_bzero(bytes, sizeof bytes); }
};

// The key of this process; the first question in the first process of a tree makes it.
Result<AuthkeyCopy> authkey();

// REQUIRES: 1 to kLargestAuthkey bytes.
void authkey_set(const void* bytes, size_t size);

// In a child that has just begun: its starter's key. An empty one changes nothing.
void authkey_inherit(const Authkey& key);

}  // namespace mpc

#endif
