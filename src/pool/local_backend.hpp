// SPDX-License-Identifier: Apache-2.0
// The back end that runs its workers as child processes and talks to them through group memory.
#ifndef MPC_POOL_LOCAL_BACKEND_HPP
#define MPC_POOL_LOCAL_BACKEND_HPP

#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "group/object.hpp"
#include "pool/backend.hpp"
#include "process/function.hpp"
#include "process/function_name.hpp"
#include "process/image.hpp"
#include "process/process.hpp"

namespace mpc {

class LocalBackend : public Backend {
 public:
  static Result<std::unique_ptr<Backend>> create(Group& group, uint32_t workers,
                                                 mpc_start_method method);
  ~LocalBackend() override;

  Result<WorkFunction> start_workers(const void* function) override;
  uint32_t capacity() const override { return body_->slots; }
  Result<Window> window(uint32_t slot, uint64_t in_bytes, uint64_t out_bytes) override;
  Window window_of(uint32_t slot) override;
  void hand_over(uint32_t slot, const Work& work) override;
  void work_ready() override;
  void resume(uint32_t slot, uint32_t first) override;
  bool has_codes(uint32_t slot) override { return body_->slot(slot).failed.load() != 0; }
  void free_result(uint64_t block) override;
  void free_lost_result(uint32_t slot, uint32_t item, uint64_t block) override;
  void make_empty(uint32_t slot) override;
  Event next_event() override;
  void shrink() override;
  void close() override;
  void terminate() override;
  bool stopped() const override { return terminated_.load(); }
  bool join(Deadline deadline) override;

 private:
  struct Worker {
    std::shared_ptr<Process> process;
    Owner record;
    uint32_t number = 0;
    // What it was seen at, to notice one that is stuck because it became another program.
    uint64_t seen_progress = 0;
    int64_t seen_at = 0;
  };

  LocalBackend(Group& group, ObjectId id, uint32_t workers, mpc_start_method method);
  Result<WorkFunction> start_workers_locked(const void* function);
  Result<void> start_worker(uint32_t index);
  void tell_starts();
  Result<void> replace_workers();
  bool fits(const void* function, const FunctionName& name) const;
  Result<uint64_t> told_name(const void* function, const FunctionName& name);
  bool all_gone(Deadline deadline);
  void see_off();
  bool anybody_at_work();
  void wake_workers(bool all);
  void look_for_deaths();
  bool became_another_program(Worker& worker);
  Loss note_losses(uint32_t index);
  bool find_done(Event& event);
  Result<uint64_t> room(uint64_t& offset, uint64_t& bytes, uint64_t wanted);

  Group& group_;
  ObjectId id_;
  PoolBody* body_;
  mpc_start_method method_;
  Owner owner_;
  std::mutex mutex_;  // workers_; taken while processes are started and ended
  std::vector<Worker> workers_;
  std::vector<std::shared_ptr<Process>> untold_;  // started, and not yet in the log
  uint32_t numbers_ = 0;
  LoadedCode code_;             // what forked workers have
  std::optional<Image> image_;  // of others
  bool runs_program_ = false;   // it is the program's
  std::map<const void*, uint64_t> names_;
  bool started_ = false;
  std::atomic<bool> closed_{false};
  std::atomic<bool> terminated_{false};
  std::deque<Event> losses_;  // noticed, not yet told
  uint32_t look_from_ = 0;    // where to look for DONE slots
  uint32_t fruitless_ = 0;    // looks in a row that found deaths or nobody, and no work
  Loss last_loss_;
  int64_t looked_at_ = 0;
};

}  // namespace mpc

#endif
