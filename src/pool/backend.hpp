// SPDX-License-Identifier: Apache-2.0
// What the engine of a pool asks of whoever runs its workers: processes of this machine, and behind
// the same calls whatever else can. It is asked a few times for each slot of work, never for an
// item.
#ifndef MPC_POOL_BACKEND_HPP
#define MPC_POOL_BACKEND_HPP

#include "base/deadline.hpp"
#include "base/result.hpp"
#include "pool/slots.hpp"

namespace mpc {

// Room for the items and the results of a slot.
struct Window {
  char* in;
  char* out;
  uint64_t out_offset;
};

// What became of a worker.
struct Loss {
  uint32_t worker = 0;  // N of "PoolWorker-N"
  int32_t pid = 0;
  int exit_code = 0;
};

struct Event {
  enum Kind { kNothing, kDone, kLost, kStopped, kBroken } kind = kNothing;
  uint32_t slot = 0;
  // kLost: how many items of the slot are done, and whether the next one went with the worker.
  uint32_t done = 0;
  bool in_hands = false;
  Loss loss;
};

// A function as workers are told of it: as in Work.
struct WorkFunction {
  uint64_t address = 0;
  uint64_t name = 0;
};

class Backend {
 public:
  virtual ~Backend() = default;

  // Has the workers run, with the code of `function`; what they know it by.
  virtual Result<WorkFunction> start_workers(const void* function) = 0;
  // Slots that can hold work at once.
  virtual uint32_t capacity() const = 0;
  // Room of at least these sizes in an empty slot. Contents undefined.
  virtual Result<Window> window(uint32_t slot, uint64_t in_bytes, uint64_t out_bytes) = 0;
  // The room that an occupied slot has.
  virtual Window window_of(uint32_t slot) = 0;
  // Hands an empty slot over, filled; work_ready() when a batch of them was.
  virtual void hand_over(uint32_t slot, const Work& work) = 0;
  virtual void work_ready() = 0;
  // Hands the items from `first` on over again.
  virtual void resume(uint32_t slot, uint32_t first) = 0;
  // Whether codes were written for items of a slot.
  virtual bool has_codes(uint32_t slot) = 0;
  // Frees the block that holds the result of an item that is done.
  virtual void free_result(uint64_t block) = 0;
  // The same for an item that was lost with its worker, before the slot is handed over again: its
  // entry may name a block that was swept and is another's by now.
  virtual void free_lost_result(uint32_t slot, uint32_t item, uint64_t block) = 0;
  virtual void make_empty(uint32_t slot) = 0;
  // Waits for something to happen.
  virtual Event next_event() = 0;
  // Gives back room that is larger than usual.
  virtual void shrink() = 0;

  // No more work will come: workers leave when they find none.
  virtual void close() = 0;
  // Ends the workers now; next_event() says kStopped. Any thread. Done by itself where no worker
  // can be kept alive: then next_event() says kBroken, with the last loss.
  virtual void terminate() = 0;
  // Whether it was terminated, by whomever.
  virtual bool stopped() const = 0;
  // Waits for the workers of a closed or terminated backend. False if the deadline is past.
  virtual bool join(Deadline deadline) = 0;
};

}  // namespace mpc

#endif
