// SPDX-License-Identifier: Apache-2.0
// One map: its items, how they are cut, where results and errors go.
#ifndef MPC_POOL_MAP_JOB_HPP
#define MPC_POOL_MAP_JOB_HPP

#include <vector>

#include <mpc/pool.h>

#include "pool/backend.hpp"

namespace mpc {

class MapJob {
 public:
  MapJob(const void* function, size_t count, const mpc_map_options& options, uint32_t workers);
  virtual ~MapJob() = default;

  const void* function() const { return function_; }
  void bind(const WorkFunction& function) { bound_ = function; }
  size_t count() const { return count_; }

  // Hands work over and takes results in until there is no more of either. Once it fails it hands
  // nothing more over but takes in what is under way.
  Result<void> run(Backend& backend);

 protected:
  // A run of items that lies in one slot.
  struct Piece {
    size_t first = 0;
    uint32_t count = 0;
  };

  // Bytes of a piece that are worth a slot of their own: enough to make the hand-over cheap, and
  // small enough that all slots together stay in the cache.
  static constexpr size_t kPieceBytes = size_t{128} * 1024;

  // How many items from `first` on, at most `most`, make the next piece.
  virtual uint32_t cut(size_t first, size_t most) const = 0;
  // Puts the items of a piece into a slot.
  virtual Result<Work> fill(Backend& backend, uint32_t slot, const Piece& piece) = 0;
  // Takes the results of the items [from, to) of a piece out of a slot.
  virtual void take(Backend& backend, uint32_t slot, const Piece& piece, uint32_t from,
                    uint32_t to) = 0;
  // Throws away what an item that was lost may have left behind.
  virtual void take_lost(Backend& backend, uint32_t slot, uint32_t item) = 0;
  // The codes of the items in a slot.
  virtual const int32_t* codes(Backend& backend, uint32_t slot, const Piece& piece) const = 0;

  void fail(size_t item, mpc_status status, int code, const Loss& loss);

 private:
  Piece next_piece();
  void finish_items(Backend& backend, uint32_t slot, const Piece& piece, uint32_t to);
  void done(Backend& backend, uint32_t slot);
  void lost(Backend& backend, const Event& event);
  Error first_failure() const;

  const void* function_;
  WorkFunction bound_;
  size_t count_;
  mpc_map_options options_;
  size_t chunk_;
  size_t handed_over_ = 0;  // items
  size_t finished_ = 0;     // items
  struct InSlot {
    Piece piece;
    uint32_t taken = 0;  // items of it that were taken in
    bool busy = false;
  };
  std::vector<InSlot> slots_;
  uint32_t busy_ = 0;
  size_t failed_at_ = SIZE_MAX;  // the first failed item
  mpc_item_error failure_{};
};

// Items and results of fixed sizes.
class ArraysJob : public MapJob {
 public:
  ArraysJob(mpc_map_fn function, const void* items, size_t count, size_t item_size, void* results,
            size_t result_size, const mpc_map_options& options, uint32_t workers);

 protected:
  uint32_t cut(size_t first, size_t most) const override;
  Result<Work> fill(Backend& backend, uint32_t slot, const Piece& piece) override;
  void take(Backend& backend, uint32_t slot, const Piece& piece, uint32_t from,
            uint32_t to) override;
  void take_lost(Backend&, uint32_t, uint32_t) override {}
  const int32_t* codes(Backend& backend, uint32_t slot, const Piece& piece) const override;

 private:
  const char* items_;
  size_t item_size_;
  char* results_;
  size_t result_size_;
};

// Items and results of any size.
class BytesJob : public MapJob {
 public:
  BytesJob(mpc_map_bytes_fn function, const mpc_bytes* items, size_t count, mpc_buffer* results,
           const mpc_map_options& options, uint32_t workers);

 protected:
  uint32_t cut(size_t first, size_t most) const override;
  Result<Work> fill(Backend& backend, uint32_t slot, const Piece& piece) override;
  void take(Backend& backend, uint32_t slot, const Piece& piece, uint32_t from,
            uint32_t to) override;
  void take_lost(Backend& backend, uint32_t slot, uint32_t item) override;
  const int32_t* codes(Backend& backend, uint32_t slot, const Piece& piece) const override;

 private:
  const mpc_bytes* items_;
  mpc_buffer* results_;
};

}  // namespace mpc

#endif
