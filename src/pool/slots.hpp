// SPDX-License-Identifier: Apache-2.0
// What a pool's owner and its workers share: the words, and who may write them when.
//
// The pool is one object; this is its body, and all other memory here is the object's too, so that
// it outlives neither the last of them nor anybody's mistake about who was the last.
//
// SLOT STATE (64 bits): turn 28 @36 | state 4 @32 | owner 32 @0. The owner of the pool counts the
// turn up each time that it fills the slot.
//   EMPTY  the pool's owner may fill it.
//   READY  any worker may take it: one CAS to TAKEN(worker). ("take")
//   TAKEN  the worker's. If it dies the pool's owner, and nobody else, makes it READY again for the
//          rest, in a new turn.
//   DONE   results are there; the pool's owner collects them and makes it EMPTY.
// The commit of handing over is the store of READY; of taking, the CAS; of one item, the store that
// raises `progress` to the next even number; of completing, the store of DONE; of collecting, the
// store of EMPTY.
//
// PROGRESS: 2 x (items done) while between items, + 1 while one is in the worker's hands. Written
// by the worker alone, twice an item, to a line of its own: no read-modify-write. When a worker
// dies the stores before the last one are all there (a kill is a cut in program order), so results
// below it are good, the one in hands is lost, and the rest was never begun.
//
// A WORD THAT A SLEEPER MISSES: who publishes looks at the sleeper's flag after a fence; who is
// about to sleep sets the flag, fences, and looks again. Workers sleep on `work`, the owner on
// `done`.
#ifndef MPC_POOL_SLOTS_HPP
#define MPC_POOL_SLOTS_HPP

#include "group/layout.hpp"

namespace mpc {

enum class SlotState : uint32_t { kEmpty, kReady, kTaken, kDone };

struct SlotWord {
  uint64_t word;
  static SlotWord make(uint32_t turn, SlotState state, uint32_t owner) {
    return {(uint64_t{turn & kObjectGenerationMask} << 36) |
            (uint64_t{static_cast<uint32_t>(state)} << 32) | owner};
  }
  uint32_t turn() const { return static_cast<uint32_t>(word >> 36); }
  SlotState state() const { return static_cast<SlotState>((word >> 32) & 15); }
  uint32_t owner() const { return static_cast<uint32_t>(word); }
};

// What a worker is to do with a slot.
enum class WorkKind : uint32_t {
  kArrays,  // items and results of fixed sizes
  kBytes    // items and results of any size
};

struct Work {
  uint64_t function = 0;       // its address in the owner, and in workers that are forks of it
  uint64_t function_name = 0;  // for others: offset of function_pack() after its size; 0: none
  uint64_t item_size = 0;
  uint64_t result_size = 0;
  WorkKind kind = WorkKind::kArrays;
  uint32_t count = 0;
};

struct Slot {
  Word<uint64_t> state;
  // From here to `progress`: the owner's while EMPTY, constant while READY and TAKEN.
  Work work;
  uint64_t in;       // offset of the items
  uint64_t in_room;  // bytes there
  uint64_t out;      // offset of the results
  uint64_t out_room;
  alignas(64) Word<uint64_t> progress;
  Word<uint32_t> failed;  // 1: the codes at the end of the results were written
};
static_assert(sizeof(Slot) == 192);

struct WorkerLine {
  alignas(64) Word<uint32_t> parked;
};

struct PoolBody {
  uint32_t slots;
  uint32_t workers;
  alignas(64) Word<uint32_t> work;  // futex: goes up when slots were filled, and on stop
  Word<uint32_t> stop;              // 1: workers leave when no slot is READY
  Word<uint32_t> next;              // hint: where to look for READY slots first
  alignas(64) Word<uint32_t> done;  // futex: goes up when the waiting owner should look
  Word<uint32_t> owner_waits;

  WorkerLine& worker(uint32_t index) { return reinterpret_cast<WorkerLine*>(this + 1)[index]; }
  Slot& slot(uint32_t index) { return reinterpret_cast<Slot*>(&worker(workers))[index]; }
  static uint64_t size(uint32_t workers, uint32_t slots) {
    return sizeof(PoolBody) + workers * sizeof(WorkerLine) + slots * sizeof(Slot);
  }
};
static_assert(sizeof(PoolBody) % 64 == 0);

// Items of any size: a table, then the bytes.
struct ItemEntry {
  uint64_t place;  // from the start of the items
  uint64_t size;
};

// Results of any size: a table, then the bytes of those that fit; others have a block of the
// pool's, which begins with the mark of the one item that it was made for.
struct ResultEntry {
  Word<uint64_t> block;  // offset in group memory; 0: not in a block
  Word<uint64_t> place;  // from the start of the results
  Word<uint64_t> size;
};

struct ResultMark {
  uint64_t slot_turn;
  uint64_t item;
  uint64_t unused[6];
};
static_assert(sizeof(ResultMark) == 64);

// In place of a function's own code: group memory had no room for its result; the worker cannot
// reach the function.
inline constexpr int32_t kNoRoomForResult = INT32_MIN;
inline constexpr int32_t kNoFunction = INT32_MIN + 1;

// Where the codes of a slot's items are: behind its fixed-size results.
inline uint64_t codes_place(uint64_t result_bytes) { return (result_bytes + 3) / 4 * 4; }
// The table of results comes first, then the codes, then the bytes.
inline uint64_t result_bytes_place(uint32_t count) {
  return codes_place(count * sizeof(ResultEntry)) + count * sizeof(int32_t);
}

}  // namespace mpc

#endif
