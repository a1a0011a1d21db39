// SPDX-License-Identifier: Apache-2.0
#include "pool/local_backend.hpp"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <algorithm>

#include "base/log.hpp"
#include "group/participant.hpp"
#include "group/space.hpp"
#include "group/sweep.hpp"
#include "os/futex.hpp"
#include "pool/worker.hpp"
#include "process/children.hpp"
#include "process/packed_function.hpp"

namespace mpc {
namespace {

constexpr uint32_t kSlotsPerWorker = 4;
// How soon a death is noticed at the latest. The kernel tells the death of a child by a signal,
// which is the program's, or by a descriptor, which cannot be waited for together with a futex.
constexpr int64_t kTick = 10000000;
constexpr int64_t kStuckFor = 100000000;
constexpr int64_t kGrace = 1000000000;
constexpr uint64_t kUsualRoom = 1 << 20;
constexpr uint32_t kMostFruitless = 100;

}  // namespace

Result<std::unique_ptr<Backend>> LocalBackend::create(Group& group, uint32_t workers,
                                                      mpc_start_method method) {
  uint32_t slots = workers * kSlotsPerWorker;
  uint64_t size = PoolBody::size(workers, slots);
  Result<NewObject> object = NewObject::begin(group, MPC_KIND_POOL, size);
  if (!object) return object.error();
  Result<uint64_t> offset = object->allocate(size);
  if (!offset) return offset.error();
  std::fill_n(group.at(*offset), size, '\0');
  auto* body = reinterpret_cast<PoolBody*>(group.at(*offset));
  body->slots = slots;
  body->workers = workers;
  ObjectId id = object->id();
  if (Result<void> live = object->commit(); !live) return live.error();
  return std::unique_ptr<Backend>(new LocalBackend(group, id, workers, method));
}

LocalBackend::LocalBackend(Group& group, ObjectId id, uint32_t workers, mpc_start_method method)
    : group_(group),
      id_(id),
      body_(reinterpret_cast<PoolBody*>(group.at(object_body(group, id)))),
      method_(method),
      owner_(group.self),
      workers_(workers) {}

LocalBackend::~LocalBackend() {
  // In a child that inherited the handle there is nothing to end: the pool is its parent's.
  if (group_.self != owner_) return;
  LocalBackend::terminate();
  object_destroy(group_, id_);
  object_detach(group_, id_, group_.self);
}

Result<void> LocalBackend::start_worker(uint32_t index) {
  ProcessPlan plan;
  plan.method = method_;
  plan.name = "PoolWorker-" + std::to_string(++numbers_);
  plan.daemon = true;
  plan.ignore_sigint = true;
  plan.held = {id_};
  plan.task = worker_task(id_, index);
  plan.image = image_;
  Worker& worker = workers_[index];
  worker = Worker{};
  worker.number = numbers_;
  body_->worker(index).parked.store(0);
  auto process = std::make_shared<Process>(group_, std::move(plan));
  if (Result<void> started = process->start(); !started) return started;
  children_add(process);
  untold_.push_back(process);
  worker.process = std::move(process);
  worker.record = worker.process->record();
  return {};
}

// Whether the workers that run have the code of a function, or can get it.
bool LocalBackend::fits(const void* function, const FunctionName& name) const {
  if (method_ == MPC_START_FORK) return code_.had(function);
  return runs_program_ || !name.in_program;
}

// Where workers that are no forks find the name of a function: once for each, in the pool's memory.
Result<uint64_t> LocalBackend::told_name(const void* function, const FunctionName& name) {
  if (auto known = names_.find(function); known != names_.end()) return known->second;
  std::string packed = function_pack(name);
  uint64_t size = packed.size();
  Result<uint64_t> offset = object_allocate(group_, id_, sizeof size + size);
  if (!offset) return offset;
  memcpy(group_.at(*offset), &size, sizeof size);
  memcpy(group_.at(*offset) + sizeof size, packed.data(), size);
  names_[function] = *offset;
  return offset;
}

Result<WorkFunction> LocalBackend::start_workers(const void* function) {
  children_reap();
  Result<WorkFunction> told = start_workers_locked(function);
  tell_starts();
  return told;
}

// The log lines of the workers that were started, when the lock is not held any more.
void LocalBackend::tell_starts() {
  std::vector<std::shared_ptr<Process>> untold;
  {
    std::lock_guard guard(mutex_);
    untold.swap(untold_);
  }
  for (const std::shared_ptr<Process>& process : untold) process->tell_start();
}

Result<WorkFunction> LocalBackend::start_workers_locked(const void* function) {
  std::lock_guard guard(mutex_);
  if (terminated_.load()) return failure(MPC_ETERMINATED, "the pool was terminated");
  FunctionName name;
  WorkFunction told{reinterpret_cast<uint64_t>(function), 0};
  if (method_ != MPC_START_FORK) {
    Result<FunctionName> named = function_name_of(function);
    if (!named) return named.error();
    name = std::move(*named);
    Result<uint64_t> offset = told_name(function, name);
    if (!offset) return offset.error();
    told.name = *offset;
  }
  if (started_ && !fits(function, name)) {
    if (Result<void> replaced = replace_workers(); !replaced) return replaced.error();
  }
  if (!started_) {
    code_ = LoadedCode::now();
    image_.reset();
    if (method_ != MPC_START_FORK) {
      Result<Image> image = image_for(&name);
      if (!image) return image.error();
      image_ = std::move(*image);
    }
    runs_program_ = name.in_program;
    for (uint32_t i = 0; i < workers_.size(); ++i) {
      if (Result<void> started = start_worker(i); !started) {
        body_->stop.store(1);
        wake_workers(true);
        see_off();
        body_->stop.store(0);
        return started.error();
      }
    }
    started_ = true;
  }
  fruitless_ = 0;
  return told;
}

// Idle workers leave, so that others can be started with the code that is loaded now.
Result<void> LocalBackend::replace_workers() {
  body_->stop.store(1);
  wake_workers(true);
  see_off();
  body_->stop.store(0);
  started_ = false;
  return {};
}

bool LocalBackend::all_gone(Deadline deadline) {
  for (Worker& worker : workers_) {
    if (!worker.process) continue;
    Result<bool> ended = worker.process->join(deadline);
    if (ended && !*ended) return false;
    worker.process.reset();
  }
  return true;
}

// Waits a while for workers that were told to leave, then sees to it.
void LocalBackend::see_off() {
  if (all_gone(Deadline::after(kGrace))) return;
  for (Worker& worker : workers_) {
    if (worker.process) (void)worker.process->send_signal(SIGKILL);
  }
  all_gone(Deadline::after(MPC_FOREVER));
}

// The room of a slot, at least `wanted` bytes. What is too small is given back first.
Result<uint64_t> LocalBackend::room(uint64_t& offset, uint64_t& bytes, uint64_t wanted) {
  if (bytes >= wanted && offset != 0) return offset;
  if (offset != 0) {
    space_free_of_object(group_, offset, id_.word());
    offset = 0;
    bytes = 0;
  }
  Result<uint64_t> fresh = object_allocate(group_, id_, std::max<uint64_t>(wanted, 64));
  if (!fresh) return fresh;
  offset = *fresh;
  bytes = space_room(group_, offset);
  return fresh;
}

Result<Window> LocalBackend::window(uint32_t index, uint64_t in_bytes, uint64_t out_bytes) {
  Slot& slot = body_->slot(index);
  Result<uint64_t> in = room(slot.in, slot.in_room, in_bytes);
  if (!in) return in.error();
  Result<uint64_t> out = room(slot.out, slot.out_room, out_bytes);
  if (!out) return out.error();
  return window_of(index);
}

Window LocalBackend::window_of(uint32_t index) {
  Slot& slot = body_->slot(index);
  return Window{group_.at(slot.in), group_.at(slot.out), slot.out};
}

void LocalBackend::hand_over(uint32_t index, const Work& work) {
  Slot& slot = body_->slot(index);
  SlotWord now{slot.state.load()};
  SlotWord ready = SlotWord::make(now.turn() + 1, SlotState::kReady, 0);
#if MPC_PLANT_FAULT == 3
  slot.state.store(ready.word);
  work_ready();
#endif
  slot.work = work;
  slot.progress.set(0);
  slot.failed.set(0);
  slot.state.store(ready.word);
}

void LocalBackend::work_ready() { wake_workers(false); }

void LocalBackend::wake_workers(bool all) {
  fence();
  int parked = 0;
  for (uint32_t i = 0; i < body_->workers; ++i) {
    if (body_->worker(i).parked.load() != 0) ++parked;
  }
  if (parked == 0 && !all) return;
  body_->work.add(1);
  futex_wake(body_->work.address(), INT32_MAX);
}

void LocalBackend::resume(uint32_t index, uint32_t first) {
  Slot& slot = body_->slot(index);
  SlotWord now{slot.state.load()};
  slot.progress.set(2 * uint64_t{first});
  slot.state.store(SlotWord::make(now.turn() + 1, SlotState::kReady, 0).word);
}

void LocalBackend::free_result(uint64_t block) { space_free_of_object(group_, block, id_.word()); }

void LocalBackend::free_lost_result(uint32_t index, uint32_t item, uint64_t block) {
  if (space_room(group_, block) < sizeof(ResultMark)) return;
  auto* mark = reinterpret_cast<const ResultMark*>(group_.at(block));
  // The slot still says TAKEN by the dead in that turn, which is what its mark says.
  if (mark->slot_turn != body_->slot(index).state.load() || mark->item != item) return;
  free_result(block);
}

void LocalBackend::make_empty(uint32_t index) {
  Slot& slot = body_->slot(index);
  SlotWord now{slot.state.load()};
  slot.state.store(SlotWord::make(now.turn(), SlotState::kEmpty, 0).word);
}

bool LocalBackend::find_done(Event& event) {
  for (uint32_t i = 0; i < body_->slots; ++i) {
    uint32_t index = (look_from_ + i) % body_->slots;
    if (SlotWord{body_->slot(index).state.load()}.state() != SlotState::kDone) continue;
    look_from_ = (index + 1) % body_->slots;
    fruitless_ = 0;
    event = Event{Event::kDone, index, 0, false, {}};
    return true;
  }
  return false;
}

bool LocalBackend::anybody_at_work() {
  for (uint32_t i = 0; i < body_->slots; ++i) {
    SlotWord now{body_->slot(i).state.load()};
    if (now.state() == SlotState::kTaken) return true;
  }
  return false;
}

// A worker that took a slot and then replaced its image by exec lives, and will never be done.
bool LocalBackend::became_another_program(Worker& worker) {
  Slot* slot = nullptr;
  for (uint32_t i = 0; i < body_->slots && slot == nullptr; ++i) {
    SlotWord now{body_->slot(i).state.load()};
    if (now.state() == SlotState::kTaken && now.owner() == worker.record.word) {
      slot = &body_->slot(i);
    }
  }
  int64_t now = monotonic_ns();
  uint64_t progress = slot == nullptr ? 0 : slot->progress.load() + 1;
  if (progress != worker.seen_progress || slot == nullptr) {
    worker.seen_progress = progress;
    worker.seen_at = now;
    return false;
  }
  if (now - worker.seen_at < kStuckFor) return false;
  worker.seen_at = now;
  ParticipantWord record{group_.participant(worker.record.index()).state.load()};
  return record.state() == ParticipantState::kLive &&
         record.generation() == worker.record.generation() &&
         participant_dead(group_, worker.record.index(), record);
}

// Tells the engine of every slot that a dead worker had.
Loss LocalBackend::note_losses(uint32_t worker_index) {
  Worker& worker = workers_[worker_index];
  Loss loss{worker.number, worker.process->started_pid(), worker.process->ended_with()};
  for (uint32_t i = 0; i < body_->slots; ++i) {
    Slot& slot = body_->slot(i);
    SlotWord now{slot.state.load()};
    if (now.state() != SlotState::kTaken || now.owner() != worker.record.word) continue;
    uint64_t progress = slot.progress.load();
    if (progress > 0) fruitless_ = 0;
    losses_.push_back(
        Event{Event::kLost, i, static_cast<uint32_t>(progress / 2), (progress & 1) != 0, loss});
  }
  return loss;
}

void LocalBackend::look_for_deaths() {
  looked_at_ = monotonic_ns();
  std::vector<Loss> lost;
  std::vector<std::shared_ptr<Process>> ended;
  {
    std::lock_guard guard(mutex_);
    if (terminated_.load()) return;
    bool fruitless = false;
    uint32_t running = 0;
    for (uint32_t i = 0; i < workers_.size(); ++i) {
      Worker& worker = workers_[i];
      if (worker.process) {
        if (became_another_program(worker)) (void)worker.process->send_signal(SIGKILL);
        if (!worker.process->reap_silently()) {
          ++running;
          continue;
        }
        fruitless = true;
        lost.push_back(note_losses(i));
        ended.push_back(std::move(worker.process));
      }
      // Where the system lets none be started that is tried again at each look, but not for ever.
      if (start_worker(i)) ++running;
    }
    // Counted by looks, not by workers: many may be killed at once.
    if (fruitless || running == 0) ++fruitless_;
    if (anybody_at_work()) fruitless_ = 0;
  }
  // Told without the lock: whoever hears it may terminate the pool.
  for (const std::shared_ptr<Process>& process : ended) process->say_why_not_begun();
  for (const Loss& loss : lost) {
    last_loss_ = loss;
    log_line(MPC_LOG_WARNING, "PoolWorker-%u (pid %d) ended with %d and is replaced", loss.worker,
             loss.pid, loss.exit_code);
  }
  tell_starts();
}

Event LocalBackend::next_event() {
  for (;;) {
    if (terminated_.load()) return Event{Event::kStopped, 0, 0, false, {}};
    Event event;
    if (find_done(event)) return event;
    if (!losses_.empty()) {
      event = losses_.front();
      losses_.pop_front();
      return event;
    }
    if (monotonic_ns() - looked_at_ >= kTick) {
      look_for_deaths();
      if (!losses_.empty()) continue;
      if (fruitless_ > kMostFruitless) {
        terminate();
        return Event{Event::kBroken, 0, 0, false, last_loss_};
      }
    }
    uint32_t seen = body_->done.load();
    body_->owner_waits.store(1);
    fence();
    bool found = terminated_.load() || find_done(event);
    if (!found) futex_wait(body_->done.address(), seen, kTick);
    body_->owner_waits.store(0);
    if (found && event.kind == Event::kDone) return event;
  }
}

void LocalBackend::shrink() {
  for (uint32_t i = 0; i < body_->slots; ++i) {
    Slot& slot = body_->slot(i);
    if (SlotWord{slot.state.load()}.state() != SlotState::kEmpty) continue;
    for (auto [offset, bytes] : {std::pair(&slot.in, &slot.in_room), {&slot.out, &slot.out_room}}) {
      if (*bytes <= kUsualRoom) continue;
      space_free_of_object(group_, *offset, id_.word());
      *offset = 0;
      *bytes = 0;
    }
  }
  space_trim_now_and_then(group_);
}

void LocalBackend::close() {
  closed_.store(true);
  body_->stop.store(1);
  wake_workers(true);
}

void LocalBackend::terminate() {
  terminated_.store(true);
  body_->stop.store(1);
  body_->done.add(1);
  futex_wake(body_->done.address(), INT32_MAX);
  std::lock_guard guard(mutex_);
  for (Worker& worker : workers_) {
    if (worker.process) (void)worker.process->send_signal(SIGTERM);
  }
  see_off();
}

bool LocalBackend::join(Deadline deadline) {
  // Not under the lock: another thread may terminate what this one waits for.
  std::vector<std::shared_ptr<Process>> left;
  {
    std::lock_guard guard(mutex_);
    for (Worker& worker : workers_) {
      if (worker.process) left.push_back(worker.process);
    }
  }
  for (const std::shared_ptr<Process>& process : left) {
    Result<bool> ended = process->join(deadline);
    if (ended && !*ended) return false;
  }
  return true;
}

}  // namespace mpc
