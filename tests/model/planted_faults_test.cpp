// SPDX-License-Identifier: Apache-2.0
// A protocol in the manner of the group's, sound and with one fault at a time: a claim is one CAS
// that writes an owner word, and survivors take back what the dead had claimed.
#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "explored.hpp"

namespace mpc::model {
namespace {

// One thing that can be owned, and the account of what was done while owning it. The owner word
// names the participant and the generation of the claim.
struct Thing {
  Word<uint64_t> owner;  // generation 32 @32 | participant + 1, 0: free
  Word<uint32_t> inside;
  Word<uint32_t> taken;  // for the faulty claim that has no owner
};

enum class Claim { kOwner, kTwoSteps };
enum class Sweep { kCas, kNone };

constexpr int kParticipants = 2;

uint64_t next_claim(uint64_t word, int who) { return (((word >> 32) + 1) << 32) | (who + 1u); }
uint64_t let_go(uint64_t word) { return word & ~uint64_t{0xffffffff}; }

class Model {
 public:
  Model(Claim claim, Sweep sweep, int deaths)
      : claim_(claim), sweep_(sweep), interleaver_("owned thing", {.deaths = deaths}) {
    interleaver_.call(thing_.owner, "owner");
    interleaver_.call(thing_.inside, "inside");
    interleaver_.call(thing_.taken, "taken");
    for (int who = 0; who < kParticipants; ++who) {
      interleaver_.participant(who == 0 ? "ann" : "bob", [this, who] { use(who); });
    }
  }

  Interleaver* interleaver() { return &interleaver_; }

 private:
  void use(int who) {
    const uint64_t mine = claim(who);
    interleaver_.require(thing_.inside.add(1) == 0, "two hold the same thing");
    thing_.inside.add(static_cast<uint32_t>(-1));
    if (claim_ == Claim::kTwoSteps) thing_.taken.store(0);
    thing_.owner.cas(mine, let_go(mine));
  }

  uint64_t claim(int who) {
    for (;;) {
      const uint64_t seen = thing_.owner.load();
      const int holder = static_cast<int>(seen & 0xffffffff) - 1;
      if (holder >= 0) {
        sweep(seen, holder);
        continue;
      }
      const uint64_t mine = next_claim(seen, who);
      if (claim_ == Claim::kTwoSteps) {
        if (!thing_.taken.cas(0, 1)) continue;
        thing_.owner.store(mine);
        return mine;
      }
      if (thing_.owner.cas(seen, mine)) return mine;
    }
  }

  void sweep(uint64_t seen, int holder) {
    if (sweep_ == Sweep::kNone || !interleaver_.is_dead(holder)) return;
    // What the dead did inside is undone before the thing is free again.
    thing_.inside.store(0);
    if (claim_ == Claim::kTwoSteps) thing_.taken.store(0);
    thing_.owner.cas(seen, let_go(seen));
  }

  Claim claim_;
  Sweep sweep_;
  Thing thing_{};
  Interleaver interleaver_;
};

TEST(PlantedFaultsTest, TheSoundProtocolHolds) {
  Model model(Claim::kOwner, Sweep::kCas, 1);
  expect_holds(model.interleaver());
}

TEST(PlantedFaultsTest, AClaimInTwoStepsIsFound) {
  Model model(Claim::kTwoSteps, Sweep::kCas, 1);
  expect_found(model.interleaver(), "hang");
}

TEST(PlantedFaultsTest, AMissingSweepIsFound) {
  Model model(Claim::kOwner, Sweep::kNone, 1);
  expect_found(model.interleaver(), "hang");
}

TEST(PlantedFaultsTest, NothingIsWrongWithoutDeaths) {
  Model model(Claim::kOwner, Sweep::kNone, 0);
  expect_holds(model.interleaver());
}

}  // namespace
}  // namespace mpc::model
