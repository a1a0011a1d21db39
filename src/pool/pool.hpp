// SPDX-License-Identifier: Apache-2.0
// The engine of a pool: cuts an array into chunks, hands them to a back end, takes the results in.
#ifndef MPC_POOL_POOL_HPP
#define MPC_POOL_POOL_HPP

#include <atomic>
#include <memory>
#include <mutex>

#include <mpc/pool.h>

#include "base/handles.hpp"
#include "group/group.hpp"
#include "pool/backend.hpp"

namespace mpc {

class MapJob;

class Pool {
 public:
  static constexpr HandleKind kHandleKind = HandleKind::kPool;

  Pool(Group& group, uint32_t workers, std::unique_ptr<Backend> backend);

  // Runs a job to its end. One at a time.
  Result<void> map(MapJob& job);
  Result<void> close();
  Result<void> terminate();
  Result<void> join(Deadline deadline);
  uint32_t workers() const { return workers_; }

 private:
  Result<void> check_mine() const;
  Result<void> check_running() const;
  void close_idle();

  Group& group_;
  Owner owner_;
  int32_t owner_pid_;
  uint32_t workers_;
  std::unique_ptr<Backend> backend_;
  std::timed_mutex mapping_;  // held by the map that is going on
  std::atomic<bool> closed_{false};
};

}  // namespace mpc

#endif
