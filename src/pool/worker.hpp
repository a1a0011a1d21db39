// SPDX-License-Identifier: Apache-2.0
// What a worker does all its life.
#ifndef MPC_POOL_WORKER_HPP
#define MPC_POOL_WORKER_HPP

#include "group/object.hpp"
#include "pool/slots.hpp"
#include "process/launcher.hpp"

namespace mpc {

// Takes slots and works on them until the pool stops.
Task worker_task(ObjectId pool, uint32_t index);

// One result of any size, while its function runs. Behind mpc_result.
class ResultBytes {
 public:
  bool put(const void* data, size_t size);
  void clear() { size_ = 0; }
  const char* data() const { return data_; }
  size_t size() const { return size_; }
  ~ResultBytes();

 private:
  char* data_ = nullptr;
  size_t size_ = 0;
  size_t room_ = 0;
};

}  // namespace mpc

#endif
