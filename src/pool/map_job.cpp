// SPDX-License-Identifier: Apache-2.0
#include "pool/map_job.hpp"

#include <signal.h>
#include <string.h>

#include <algorithm>
#include <string>

namespace mpc {
namespace {

std::string how_it_ended(int exit_code) {
  if (exit_code >= 0) return "exited with code " + std::to_string(exit_code);
  const char* name = sigabbrev_np(-exit_code);
  return "was killed by " +
         (name != nullptr ? std::string("SIG") + name : "signal " + std::to_string(-exit_code));
}

}  // namespace

MapJob::MapJob(const void* function, size_t count, const mpc_map_options& options, uint32_t workers)
    : function_(function), count_(count), options_(options), chunk_(options.chunk_size) {
  // As Python cuts: four chunks for each worker, rounded up.
  size_t chunks = size_t{4} * workers;
  if (chunk_ == 0) chunk_ = count / chunks + (count % chunks != 0 ? 1 : 0);
  if (options_.errors != nullptr) std::fill_n(options_.errors, count, mpc_item_error{});
}

MapJob::Piece MapJob::next_piece() {
  size_t chunk_left = chunk_ - handed_over_ % chunk_;
  size_t most = std::min({chunk_left, count_ - handed_over_, size_t{UINT32_MAX}});
  return Piece{handed_over_, cut(handed_over_, most)};
}

void MapJob::fail(size_t item, mpc_status status, int code, const Loss& loss) {
  mpc_item_error error{status,   code,           static_cast<int32_t>(loss.worker),
                       loss.pid, loss.exit_code, 0};
  if (options_.errors != nullptr) options_.errors[item] = error;
  if (item < failed_at_) {
    failed_at_ = item;
    failure_ = error;
  }
}

// Takes in the items of a slot up to `to`: results of those that succeeded, codes of the others.
void MapJob::finish_items(Backend& backend, uint32_t slot, const Piece& piece, uint32_t to) {
  InSlot& in_slot = slots_[slot];
  uint32_t from = std::exchange(in_slot.taken, to);
  finished_ += to - from;
  if (!backend.has_codes(slot)) {
    take(backend, slot, piece, from, to);
    return;
  }
  const int32_t* all = codes(backend, slot, piece);
  for (uint32_t i = from; i < to; ++i) {
    if (all[i] == 0) {
      take(backend, slot, piece, i, i + 1);
    } else if (all[i] == kNoRoomForResult) {
      fail(piece.first + i, MPC_EEXHAUSTED, 0, {});
    } else if (all[i] == kNoFunction) {
      fail(piece.first + i, MPC_EFUNCTION, 0, {});
    } else {
      fail(piece.first + i, MPC_ETASK, all[i], {});
    }
  }
}

void MapJob::done(Backend& backend, uint32_t slot) {
  InSlot& in_slot = slots_[slot];
  finish_items(backend, slot, in_slot.piece, in_slot.piece.count);
  in_slot.busy = false;
  --busy_;
  backend.make_empty(slot);
}

// The worker of a slot died: what it had done is good, the item in its hands is lost, the rest is
// handed over again.
void MapJob::lost(Backend& backend, const Event& event) {
  InSlot& in_slot = slots_[event.slot];
  const Piece piece = in_slot.piece;
  finish_items(backend, event.slot, piece, event.done);
  uint32_t next = event.done;
  if (event.in_hands) {
    take_lost(backend, event.slot, next);
    fail(piece.first + next, MPC_EWORKER_LOST, 0, event.loss);
    ++next;
    ++in_slot.taken;
    ++finished_;
  }
  if (next < piece.count) {
    backend.resume(event.slot, next);
    backend.work_ready();
    return;
  }
  in_slot.busy = false;
  --busy_;
  backend.make_empty(event.slot);
}

Error MapJob::first_failure() const {
  switch (failure_.status) {
    case MPC_EWORKER_LOST:
      return failure(MPC_EWORKER_LOST, "item %zu was lost: PoolWorker-%d (pid %d) %s", failed_at_,
                     failure_.worker, failure_.pid, how_it_ended(failure_.exit_code).c_str());
    case MPC_ETASK:
      return failure(MPC_ETASK, "item %zu failed: the function returned %d", failed_at_,
                     failure_.code);
    default:
      return failure(static_cast<mpc_status>(failure_.status),
                     "item %zu failed: its result found no room in group memory; raise "
                     "memory_limit of mpc_group_options",
                     failed_at_);
  }
}

Result<void> MapJob::run(Backend& backend) {
  slots_.resize(backend.capacity());
  Result<void> outcome;
  size_t told = 0;
  while (finished_ < count_) {
    bool handed = false;
    for (uint32_t slot = 0; slot < slots_.size() && handed_over_ < count_ && outcome; ++slot) {
      if (slots_[slot].busy) continue;
      Piece piece = next_piece();
      Result<Work> work = fill(backend, slot, piece);
      if (!work) {
        outcome = work.error();
        break;
      }
      work->function = bound_.address;
      work->function_name = bound_.name;
      slots_[slot] = InSlot{piece, 0, true};
      ++busy_;
      handed_over_ += piece.count;
      backend.hand_over(slot, *work);
      handed = true;
    }
    if (handed) backend.work_ready();
    if (busy_ == 0) break;  // it failed, and nothing is under way

    Event event = backend.next_event();
    switch (event.kind) {
      case Event::kDone:
        done(backend, event.slot);
        break;
      case Event::kLost:
        lost(backend, event);
        break;
      case Event::kStopped:
        return failure(MPC_ETERMINATED, "the pool was terminated with %zu of %zu items done",
                       finished_, count_);
      case Event::kBroken:
        return failure(MPC_EWORKER_LOST,
                       "workers end before they take any work, or cannot be started: the last was "
                       "PoolWorker-%u (pid %d), which %s",
                       event.loss.worker, event.loss.pid,
                       how_it_ended(event.loss.exit_code).c_str());
      case Event::kNothing:
        break;
    }
    if (options_.progress != nullptr && finished_ != told) {
      told = finished_;
      options_.progress(finished_, count_, options_.user_data);
    }
  }
  if (!outcome) return outcome;
  if (failed_at_ != SIZE_MAX) return first_failure();
  return {};
}

// --- arrays --------------------------------------------------------------------------------------

ArraysJob::ArraysJob(mpc_map_fn function, const void* items, size_t count, size_t item_size,
                     void* results, size_t result_size, const mpc_map_options& options,
                     uint32_t workers)
    : MapJob(reinterpret_cast<const void*>(function), count, options, workers),
      items_(static_cast<const char*>(items)),
      item_size_(item_size),
      results_(static_cast<char*>(results)),
      result_size_(result_size) {}

uint32_t ArraysJob::cut(size_t, size_t most) const {
  size_t bytes = std::max<size_t>(1, std::max(item_size_, result_size_));
  return static_cast<uint32_t>(std::min(most, std::max<size_t>(1, kPieceBytes / bytes)));
}

Result<Work> ArraysJob::fill(Backend& backend, uint32_t slot, const Piece& piece) {
  uint64_t in_bytes = piece.count * item_size_;
  uint64_t out_bytes = codes_place(piece.count * result_size_) + piece.count * sizeof(int32_t);
  Result<Window> window = backend.window(slot, in_bytes, out_bytes);
  if (!window) return window.error();
  if (in_bytes > 0) memcpy(window->in, items_ + piece.first * item_size_, in_bytes);
  return Work{0, 0, item_size_, result_size_, WorkKind::kArrays, piece.count};
}

void ArraysJob::take(Backend& backend, uint32_t slot, const Piece& piece, uint32_t from,
                     uint32_t to) {
  if (result_size_ == 0 || from == to) return;
  memcpy(results_ + (piece.first + from) * result_size_,
         backend.window_of(slot).out + from * result_size_, (to - from) * result_size_);
}

const int32_t* ArraysJob::codes(Backend& backend, uint32_t slot, const Piece& piece) const {
  return reinterpret_cast<const int32_t*>(backend.window_of(slot).out +
                                          codes_place(piece.count * result_size_));
}

// --- bytes ---------------------------------------------------------------------------------------

BytesJob::BytesJob(mpc_map_bytes_fn function, const mpc_bytes* items, size_t count,
                   mpc_buffer* results, const mpc_map_options& options, uint32_t workers)
    : MapJob(reinterpret_cast<const void*>(function), count, options, workers),
      items_(items),
      results_(results) {
  std::fill_n(results_, count, mpc_buffer{nullptr, 0});
}

uint32_t BytesJob::cut(size_t first, size_t most) const {
  size_t bytes = 0;
  uint32_t count = 0;
  while (count < most && (count == 0 || bytes + items_[first + count].size <= kPieceBytes)) {
    bytes += items_[first + count].size + sizeof(ItemEntry);
    ++count;
  }
  return count;
}

Result<Work> BytesJob::fill(Backend& backend, uint32_t slot, const Piece& piece) {
  uint64_t in_bytes = piece.count * sizeof(ItemEntry);
  for (uint32_t i = 0; i < piece.count; ++i) {
    in_bytes += (items_[piece.first + i].size + 15) / 16 * 16;
  }
  // Most results are small; those for which this is too little get a block of their own.
  uint64_t out_bytes = result_bytes_place(piece.count) + kPieceBytes / 2;
  Result<Window> window = backend.window(slot, in_bytes, out_bytes);
  if (!window) return window.error();
  auto* table = reinterpret_cast<ItemEntry*>(window->in);
  uint64_t place = piece.count * sizeof(ItemEntry);
  for (uint32_t i = 0; i < piece.count; ++i) {
    const mpc_bytes& item = items_[piece.first + i];
    table[i] = ItemEntry{place, item.size};
    if (item.size > 0) memcpy(window->in + place, item.data, item.size);
    place += (item.size + 15) / 16 * 16;
  }
  memset(window->out, 0, piece.count * sizeof(ResultEntry));
  return Work{0, 0, 0, 0, WorkKind::kBytes, piece.count};
}

void BytesJob::take(Backend& backend, uint32_t slot, const Piece& piece, uint32_t from,
                    uint32_t to) {
  Window window = backend.window_of(slot);
  auto* entries = reinterpret_cast<ResultEntry*>(window.out);
  for (uint32_t i = from; i < to; ++i) {
    uint64_t block = entries[i].block.load();
    uint64_t size = entries[i].size.load();
    const char* data = block != 0 ? window.out - window.out_offset + block + sizeof(ResultMark)
                                  : window.out + entries[i].place.load();
    mpc_buffer& result = results_[piece.first + i];
    if (size > 0) {
      result.data = malloc(size);
      if (result.data == nullptr) {
        fail(piece.first + i, MPC_ENOMEM, 0, {});
      } else {
        memcpy(result.data, data, size);
        result.size = size;
      }
    }
    if (block != 0) backend.free_result(block);
  }
}

void BytesJob::take_lost(Backend& backend, uint32_t slot, uint32_t item) {
  auto* entries = reinterpret_cast<ResultEntry*>(backend.window_of(slot).out);
  ResultEntry& entry = entries[item];
  uint64_t block = entry.block.load();
  if (block != 0) backend.free_lost_result(slot, item, block);
  // Its successor reads the entries to see where room is left.
  entry.block.store(0);
  entry.place.store(0);
  entry.size.store(0);
}

const int32_t* BytesJob::codes(Backend& backend, uint32_t slot, const Piece& piece) const {
  return reinterpret_cast<const int32_t*>(backend.window_of(slot).out +
                                          codes_place(piece.count * sizeof(ResultEntry)));
}

}  // namespace mpc
