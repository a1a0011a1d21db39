// SPDX-License-Identifier: Apache-2.0
// Byte strings by number: the same bytes always get the same number.
//
// The interleaver keeps every state that it has met. Most of what makes up a state (the stack of a
// participant, the contents of memory) occurs in thousands of states, so each is kept once and
// named by its number. Comparison is exact: a collision of hashes cannot hide a state.
#ifndef MPC_TESTS_MODEL_BLOB_TABLE_HPP
#define MPC_TESTS_MODEL_BLOB_TABLE_HPP

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace mpc::model {

class BlobTable {
 public:
  BlobTable();

  struct Interned {
    uint32_t id;
    bool is_new;
  };
  Interned intern(const void* bytes, size_t size);

  const unsigned char* bytes(uint32_t id) const { return blobs_[id].bytes; }
  size_t size(uint32_t id) const { return blobs_[id].size; }
  size_t count() const { return blobs_.size(); }
  size_t stored_bytes() const { return stored_; }

 private:
  struct Blob {
    const unsigned char* bytes;
    uint64_t hash;
    uint32_t size;
  };

  unsigned char* room(size_t size);
  void grow();

  std::vector<Blob> blobs_;
  std::vector<uint32_t> slots_;  // number + 1, or 0 where free; a power of two in length
  std::vector<std::unique_ptr<unsigned char[]>> chunks_;
  size_t chunk_left_ = 0;
  unsigned char* chunk_next_ = nullptr;
  size_t stored_ = 0;
};

}  // namespace mpc::model

#endif
