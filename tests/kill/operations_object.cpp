// SPDX-License-Identifier: Apache-2.0
// Blocks as objects: made, attached, detached, destroyed; and the sweep of somebody who held some.
#include <signal.h>
#include <unistd.h>

#include <cstring>
#include <optional>
#include <vector>

#include "books.hpp"
#include "census.hpp"
#include "fault.hpp"
#include "operation.hpp"
#include "tracee.hpp"

namespace kill_tests {
namespace {

constexpr size_t kSize = 1000;

Census census() { return Census(group_stats().address); }

class Create : public Case {
 public:
  void prepare() override { objects_ = group_stats().objects; }
  void set_up() override { must(mpc_group_join(), "mpc_group_join"); }
  void operate() override { must(mpc_block_create(kSize, &block_), "mpc_block_create"); }
  void finish() override {
    must(mpc_block_detach(block_), "mpc_block_detach");
    must(mpc_group_leave(), "mpc_group_leave");
  }

 private:
  uint64_t objects_ = 0;
  mpc_block* block_ = nullptr;
};

// A block that the driver holds and the victim knows by its ref.
class WithBlock : public Case {
 public:
  void prepare() override {
    expect_ok(mpc_block_create(kSize, &held_), "mpc_block_create");
    expect_ok(mpc_block_ref(held_, &notes().ref), "mpc_block_ref");
    memset(mpc_block_address(held_), 0x5a, kSize);
    held_by_driver_.push_back(held_);
  }
  void finish() override { must(mpc_group_leave(), "mpc_group_leave"); }
  Committed settle(bool) override {
    mpc_block* again;
    expect_ok(mpc_block_attach(&notes().ref, &again), "mpc_block_attach");
    auto* bytes = static_cast<const unsigned char*>(mpc_block_address(again));
    if (bytes[0] != 0x5a || bytes[kSize - 1] != 0x5a) fault("a block lost its contents");
    expect_ok(mpc_block_detach(again), "mpc_block_detach");
    let_go();
    if (mpc_block_attach(&notes().ref, &again) != MPC_ESTALE) {
      fault("a block outlived its last holder");
    }
    return Committed::kUnknown;
  }

 protected:
  // Without the handles that the victim inherited, its own case's and that of a case which is
  // stalled meanwhile: they attached the victim when it joined.
  void join_unattached() {
    must(mpc_group_join(), "mpc_group_join");
    for (mpc_block* held : held_by_driver_) must(mpc_block_detach(held), "mpc_block_detach");
  }
  void set_up_attached() {
    join_unattached();
    must(mpc_block_attach(&notes().ref, &block_), "mpc_block_attach");
  }
  // The driver's own handle.
  void let_go() {
    expect_ok(mpc_block_detach(held_), "mpc_block_detach");
    std::erase(held_by_driver_, held_);
  }
  bool victim_holds(pid_t victim) {
    auto owner = census().find(victim);
    return owner && census().holds(*owner) > 0;
  }
  mpc_block* held_ = nullptr;
  mpc_block* block_ = nullptr;

 private:
  static inline std::vector<mpc_block*> held_by_driver_;
};

class Attach : public WithBlock {
 public:
  void set_up() override { join_unattached(); }
  void operate() override { must(mpc_block_attach(&notes().ref, &block_), "mpc_block_attach"); }
  void finish() override {
    must(mpc_block_detach(block_), "mpc_block_detach");
    WithBlock::finish();
  }
  Committed look(pid_t victim) override {
    return victim_holds(victim) ? Committed::kYes : Committed::kNo;
  }
};

class Detach : public WithBlock {
 public:
  void set_up() override { set_up_attached(); }
  void operate() override { must(mpc_block_detach(block_), "mpc_block_detach"); }
  Committed look(pid_t victim) override {
    return victim_holds(victim) ? Committed::kNo : Committed::kYes;
  }
};

// The victim's is the last handle: the memory goes with it.
class DetachLast : public Detach {
 public:
  void before_operation() override { let_go(); }
  Committed look(pid_t) override { return Committed::kUnknown; }
  Committed settle(bool) override {
    mpc_block* again;
    mpc_status status = mpc_block_attach(&notes().ref, &again);
    if (status != MPC_ESTALE) fault("attaching to an object without holders answered %d", status);
    return Committed::kUnknown;
  }
};

class Destroy : public WithBlock {
 public:
  void set_up() override { set_up_attached(); }
  void operate() override { must(mpc_block_destroy(block_), "mpc_block_destroy"); }
  Committed settle(bool died) override {
    mpc_block* again;
    mpc_status status = mpc_block_attach(&notes().ref, &again);
    auto* bytes = static_cast<const unsigned char*>(mpc_block_address(held_));
    if (bytes[0] != 0x5a || bytes[kSize - 1] != 0x5a) fault("a held block was not readable");
    if (status >= 0) {
      if (!died) fault("a destroyed block could be attached");
      expect_ok(mpc_block_detach(again), "mpc_block_detach");
    } else if (status != MPC_ESTALE) {
      expect_ok(status, "mpc_block_attach");
    }
    let_go();
    return status < 0 ? Committed::kYes : Committed::kNo;
  }
};

// The victim sweeps somebody who died with his hands full; half-way through taking a large block if
// that is wanted.
template <bool kHalfGathered>
class Sweep : public WithBlock {
 public:
  void prepare() override {
    WithBlock::prepare();
    Tracee doomed = Tracee::fork([this] {
      void* block;
      mpc_block* object;
      set_up_attached();
      must(mpc_block_create(kSize, &object), "mpc_block_create");
      must(mpc_group_alloc(kSize, &block), "mpc_group_alloc");
      must(mpc_group_alloc(size_t{2} << 20, &block), "mpc_group_alloc");
      raise(SIGSTOP);
      must(mpc_group_alloc(size_t{4} << 20, &block), "mpc_group_alloc");
    });
    if (!doomed.run_to_stop_signal()) fault("a process could not be prepared to be swept");
    while (kHalfGathered && !census().half_gathered()) {
      if (!doomed.step()) fault("a large block is not gathered region by region");
    }
    doomed.kill();
    doomed.reap();
  }
  void set_up() override { join_unattached(); }
  void operate() override { must(mpc_group_sweep(nullptr), "mpc_group_sweep"); }
};

void create_and_destroy(uint32_t times) {
  for (uint32_t i = 0; i < times; ++i) {
    mpc_block* block;
    mpc_block* again;
    mpc_ref ref;
    expect_ok(mpc_block_create(kSize, &block), "mpc_block_create");
    auto* bytes = static_cast<unsigned char*>(mpc_block_address(block));
    if (bytes[0] != 0 || bytes[kSize - 1] != 0) fault("a new block was not zeroed");
    memset(bytes, 0xa5, kSize);
    expect_ok(mpc_block_ref(block, &ref), "mpc_block_ref");
    expect_ok(mpc_block_attach(&ref, &again), "mpc_block_attach");
    expect_ok(mpc_block_detach(again), "mpc_block_detach");
    expect_ok(i % 2 == 0 ? mpc_block_detach(block) : mpc_block_destroy(block), "mpc_block_detach");
    if (mpc_block_attach(&ref, &again) != MPC_ESTALE) fault("a block outlived its last holder");
  }
}

// Each sweep looks at every participant; each fiftieth finds one that died.
void sweep_often(uint32_t times) {
  for (uint32_t i = 0; i < times; ++i) {
    if (i % 50 == 0) {
      Tracee doomed = Tracee::fork([] {
        void* block;
        must(mpc_group_alloc(kSize, &block), "mpc_group_alloc");
        raise(SIGSTOP);
      });
      if (!doomed.run_to_stop_signal()) fault("a process could not be prepared to be swept");
      doomed.kill();
      doomed.reap();
    }
    uint32_t swept = 0;
    expect_ok(mpc_group_sweep(&swept), "mpc_group_sweep");
    if (i % 50 == 0 && swept == 0) fault("a sweep overlooked a process that had died");
  }
}

}  // namespace

std::vector<Operation> object_operations() {
  return {
      {"block.create", [] { return std::make_unique<Create>(); }, create_and_destroy},
      {"block.attach", [] { return std::make_unique<Attach>(); }, create_and_destroy},
      {"block.detach", [] { return std::make_unique<Detach>(); }, create_and_destroy},
      {"block.detach.last", [] { return std::make_unique<DetachLast>(); }, create_and_destroy},
      {"block.destroy", [] { return std::make_unique<Destroy>(); }, create_and_destroy},
      {"sweep", [] { return std::make_unique<Sweep<false>>(); }, sweep_often},
      {"sweep.half-gathered", [] { return std::make_unique<Sweep<true>>(); }, sweep_often},
  };
}

}  // namespace kill_tests
