// SPDX-License-Identifier: Apache-2.0
#include "pool/pool.hpp"

#include <unistd.h>

#include <chrono>

#include "pool/map_job.hpp"

namespace mpc {

Pool::Pool(Group& group, uint32_t workers, std::unique_ptr<Backend> backend)
    : group_(group),
      owner_(group.self),
      owner_pid_(getpid()),
      workers_(workers),
      backend_(std::move(backend)) {}

Result<void> Pool::check_mine() const {
  if (group_.self == owner_) return {};
  return failure(MPC_ECHILD, "the pool was made by process %d; only that one may use it",
                 owner_pid_);
}

Result<void> Pool::check_running() const {
  if (backend_->stopped()) return failure(MPC_ETERMINATED, "the pool was terminated");
  if (closed_.load()) return failure(MPC_ECLOSED, "the pool was closed and takes no more work");
  return {};
}

Result<void> Pool::map(MapJob& job) {
  if (Result<void> mine = check_mine(); !mine) return mine;
  Result<void> outcome = [&]() -> Result<void> {
    std::lock_guard guard(mapping_);
    if (Result<void> running = check_running(); !running) return running;
    if (job.count() == 0) return {};
    Result<WorkFunction> function = backend_->start_workers(job.function());
    if (!function) return function.error();
    job.bind(*function);
    // Left by an exception, slots are in nobody's books: such a pool is at its end.
    struct Abandoned {
      Backend* backend;
      ~Abandoned() {
        if (backend != nullptr) backend->terminate();
      }
    } abandoned{backend_.get()};
    Result<void> done = job.run(*backend_);
    abandoned.backend = nullptr;
    if (!backend_->stopped()) backend_->shrink();
    return done;
  }();
  if (closed_.load()) close_idle();
  return outcome;
}

// Workers leave only while no map wants them. Whoever comes last of those who closed the pool and
// those whose map was going on finds it idle.
void Pool::close_idle() {
  if (!mapping_.try_lock()) return;
  std::lock_guard guard(mapping_, std::adopt_lock);
  if (!backend_->stopped()) backend_->close();
}

Result<void> Pool::close() {
  if (Result<void> mine = check_mine(); !mine) return mine;
  closed_.store(true);
  close_idle();
  return {};
}

Result<void> Pool::terminate() {
  if (Result<void> mine = check_mine(); !mine) return mine;
  closed_.store(true);
  backend_->terminate();
  return {};
}

Result<void> Pool::join(Deadline deadline) {
  if (Result<void> mine = check_mine(); !mine) return mine;
  if (!closed_.load() && !backend_->stopped()) {
    return failure(MPC_ESTATE, "the pool is still running; close or terminate it first");
  }
  // The map that is going on replaces workers that die: only after it are they gone for good.
  using std::chrono::nanoseconds;
  if (deadline.never()) {
    mapping_.lock();
  } else if (!mapping_.try_lock_for(nanoseconds(deadline.left(MPC_SECONDS(1000000))))) {
    return failure(MPC_ETIMEDOUT, "a map is still going on");
  }
  std::lock_guard guard(mapping_, std::adopt_lock);
  if (!backend_->stopped()) backend_->close();
  if (backend_->join(deadline)) return {};
  return failure(MPC_ETIMEDOUT, "not all workers have ended");
}

}  // namespace mpc
