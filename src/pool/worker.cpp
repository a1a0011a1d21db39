// SPDX-License-Identifier: Apache-2.0
#include "pool/worker.hpp"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <algorithm>

#include <mpc/pool.h>

#include "base/log.hpp"
#include "group/current.hpp"
#include "group/space.hpp"
#include "os/futex.hpp"
#include "process/packed_function.hpp"
#include "process/self.hpp"

namespace mpc {
namespace {

// A worker without work sleeps long: a wake-up that its owner did not give, because it was killed
// in between, needs no answer, since the worker is killed then too.
constexpr int64_t kIdleSleep = 1000000000;

class Worker {
 public:
  Worker(Group& group, ObjectId pool, uint32_t index)
      : group_(group),
        pool_(pool),
        body_(*reinterpret_cast<PoolBody*>(group.at(object_body(group, pool)))),
        line_(body_.worker(index)) {}

  int run() {
    for (;;) {
      if (Slot* slot = take()) {
        work_on(*slot);
        complete(*slot);
        continue;
      }
      if (body_.stop.load() != 0 || orphaned()) return 0;
      sleep();
    }
  }

 private:
  Slot* take() {
    uint32_t start = body_.next.peek();
    for (uint32_t i = 0; i < body_.slots; ++i) {
      uint32_t index = (start + i) % body_.slots;
      Slot& slot = body_.slot(index);
      SlotWord now{slot.state.load()};
      if (now.state() != SlotState::kReady) continue;
      SlotWord taken = SlotWord::make(now.turn(), SlotState::kTaken, group_.self.word);
      if (!slot.state.cas(now.word, taken.word)) continue;
      body_.next.set((index + 1) % body_.slots);
      turn_ = now.turn();
      return &slot;
    }
    return nullptr;
  }

  void sleep() {
    uint32_t seen = body_.work.load();
    line_.parked.store(1);
    fence();
    bool ready = body_.stop.load() != 0;
    for (uint32_t i = 0; i < body_.slots && !ready; ++i) {
      ready = SlotWord{body_.slot(i).state.load()}.state() == SlotState::kReady;
    }
    if (!ready) futex_wait(body_.work.address(), seen, kIdleSleep);
    line_.parked.store(0);
  }

  // Where this process has the function: as its owner where this is a fork of it, else by its name.
  void* function_of(const Work& work) {
    if (work.function_name == 0) return reinterpret_cast<void*>(work.function);
    if (work.function_name != known_name_) {
      known_name_ = work.function_name;
      known_function_ = nullptr;
      uint64_t size = 0;
      const char* told = group_.at(work.function_name);
      memcpy(&size, told, sizeof size);
      Result<FunctionName> name = function_unpack({told + sizeof size, size});
      Result<const void*> found = name ? function_found(*name) : name.error();
      if (found) {
        known_function_ = const_cast<void*>(*found);
      } else {
        log_line(MPC_LOG_ERROR, "%s", found.error().message.c_str());
      }
    }
    return known_function_;
  }

  // In its place where it cannot be reached: each item tells so.
  static int missing(const void*, void*) { return kNoFunction; }
  static int missing_for_bytes(const void*, size_t, mpc_result*) { return kNoFunction; }

  void work_on(Slot& slot) {
    if (slot.work.kind == WorkKind::kArrays) {
      run_arrays(slot);
    } else {
      run_bytes(slot);
    }
  }

  void run_arrays(Slot& slot) {
    auto function = reinterpret_cast<mpc_map_fn>(function_of(slot.work));
    if (function == nullptr) function = missing;
    const uint64_t item_size = slot.work.item_size;
    const uint64_t result_size = slot.work.result_size;
    const uint32_t count = slot.work.count;
    const char* item = group_.at(slot.in);
    char* result = group_.at(slot.out);
    auto first = static_cast<uint32_t>(slot.progress.load() / 2);
    item += first * item_size;
    result += first * result_size;
    for (uint32_t i = first; i < count; ++i, item += item_size, result += result_size) {
      slot.progress.store(2 * uint64_t{i} + 1);
#if MPC_PLANT_FAULT == 2
      slot.progress.store(2 * uint64_t{i} + 2);
#endif
      int code = function(item, result);
      if (code != 0) [[unlikely]] {
        note_code(slot, codes_place(count * result_size), i, code);
      }
      slot.progress.store(2 * uint64_t{i} + 2);
    }
  }

  void run_bytes(Slot& slot) {
    auto function = reinterpret_cast<mpc_map_bytes_fn>(function_of(slot.work));
    if (function == nullptr) function = missing_for_bytes;
    const uint32_t count = slot.work.count;
    const char* items = group_.at(slot.in);
    const auto* table = reinterpret_cast<const ItemEntry*>(items);
    auto first = static_cast<uint32_t>(slot.progress.load() / 2);
    // A predecessor that died may have used room beyond what its finished items tell of.
    uint64_t place = result_bytes_place(count);
    auto* entries = reinterpret_cast<ResultEntry*>(group_.at(slot.out));
    for (uint32_t i = 0; i < first; ++i) {
      if (entries[i].block.load() == 0) {
        place = std::max(place, entries[i].place.load() + entries[i].size.load());
      }
    }
    for (uint32_t i = first; i < count; ++i) {
      slot.progress.store(2 * uint64_t{i} + 1);
      result_.clear();
      int code =
          function(items + table[i].place, table[i].size, reinterpret_cast<mpc_result*>(&result_));
      if (code == 0) code = store_result(slot, entries[i], i, place);
      if (code != 0) note_code(slot, codes_place(count * sizeof(ResultEntry)), i, code);
      slot.progress.store(2 * uint64_t{i} + 2);
    }
  }

  // Into the slot's own room if it fits there, else into a block. 0, or the code of the failure.
  int store_result(Slot& slot, ResultEntry& entry, uint32_t item, uint64_t& place) {
    if (place <= slot.out_room && result_.size() <= slot.out_room - place) {
      if (result_.size() > 0) memcpy(group_.at(slot.out) + place, result_.data(), result_.size());
      entry.place.store(place);
      entry.size.store(result_.size());
      place += result_.size();
      return 0;
    }
    Result<uint64_t> block = space_allocate(group_, sizeof(ResultMark) + result_.size());
    if (!block) return kNoRoomForResult;
    auto* mark = reinterpret_cast<ResultMark*>(group_.at(*block));
    mark->slot_turn = SlotWord::make(turn_, SlotState::kTaken, group_.self.word).word;
    mark->item = item;
    memcpy(mark + 1, result_.data(), result_.size());
    entry.size.store(result_.size());
    // The entry first, so that the block is found if this process dies between the two; the mark
    // tells whether what is found there is it.
    entry.block.store(*block);
    object_adopt(group_, pool_, *block);
    return 0;
  }

  void note_code(Slot& slot, uint64_t place, uint32_t item, int code) {
    auto* codes = reinterpret_cast<int32_t*>(group_.at(slot.out) + place);
    if (slot.failed.load() == 0) {
      memset(codes, 0, slot.work.count * sizeof(int32_t));
      slot.failed.store(1);
    }
    codes[item] = code;
  }

  void complete(Slot& slot) {
    slot.state.store(SlotWord::make(turn_, SlotState::kDone, group_.self.word).word);
    fence();
    if (body_.owner_waits.load() == 0) return;
    // The owner is woken when there is too little left to keep everybody busy, not at each slot.
    uint32_t ready = 0;
    for (uint32_t i = 0; i < body_.slots; ++i) {
      if (SlotWord{body_.slot(i).state.load()}.state() == SlotState::kReady) ++ready;
    }
    if (ready >= body_.workers || !body_.owner_waits.cas(1, 0)) return;
    body_.done.add(1);
    futex_wake(body_.done.address(), 1);
  }

  Group& group_;
  ObjectId pool_;
  PoolBody& body_;
  WorkerLine& line_;
  ResultBytes result_;
  uint32_t turn_ = 0;
  uint64_t known_name_ = 0;
  void* known_function_ = nullptr;
};

}  // namespace

bool ResultBytes::put(const void* data, size_t size) {
  if (size == 0) return true;
  if (size > SIZE_MAX - size_) return false;
  if (size_ + size > room_) {
    size_t room = std::max(size_ + size, room_ * 2);
    auto* grown = static_cast<char*>(realloc(data_, room));
    if (grown == nullptr) return false;
    data_ = grown;
    room_ = room;
  }
  memcpy(data_ + size_, data, size);
  size_ += size;
  return true;
}

ResultBytes::~ResultBytes() { free(data_); }

namespace {

struct WorkerStart {
  ObjectId pool;
  uint32_t index;
};

int run_worker(const void* argument, size_t, const mpc_ref*, size_t) {
  WorkerStart start;
  memcpy(&start, argument, sizeof start);
  return Worker(*group_if_any(), start.pool, start.index).run();
}

}  // namespace

Task worker_task(ObjectId pool, uint32_t index) {
  WorkerStart start{pool, index};
  Task task;
  task.function = run_worker;
  task.argument.resize(sizeof start);
  memcpy(task.argument.data(), &start, sizeof start);
  return task;
}

}  // namespace mpc
