// SPDX-License-Identifier: Apache-2.0
// Tells whether shared memory has changed since it was last asked.
//
// The memory is a sparse file that is mapped whole; only what it has pages for is compared. The
// file's count of pages says cheaply whether the list of them is still right.
#ifndef MPC_TESTS_KILL_WATCHED_RANGE_HPP
#define MPC_TESTS_KILL_WATCHED_RANGE_HPP

#include <sys/types.h>

#include <cstdint>
#include <vector>

namespace kill_tests {

class WatchedRange {
 public:
  // `address`: where a mapping of a memory file begins in this process.
  explicit WatchedRange(const void* address);
  ~WatchedRange();
  WatchedRange(const WatchedRange&) = delete;
  WatchedRange& operator=(const WatchedRange&) = delete;

  // Whether it has changed since the last call, or since the beginning.
  bool changed();
  // How much memory there is in pages that exist.
  uint64_t populated_bytes() const;

 private:
  struct Piece {
    off_t offset;
    std::vector<char> seen;
  };
  bool pages_changed();
  void list_pages();

  const char* base_;
  int file_ = -1;
  int64_t pages_ = -1;
  std::vector<Piece> pieces_;
};

}  // namespace kill_tests

#endif
