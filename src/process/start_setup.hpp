// SPDX-License-Identifier: Apache-2.0
// One start's part of a setup: the descriptors while they are passed, and the place where a child
// that could not be set up says why.
#ifndef MPC_PROCESS_START_SETUP_HPP
#define MPC_PROCESS_START_SETUP_HPP

#include <string>

#include "process/setup_descriptors.hpp"

namespace mpc {

// Memory that a forked child shares with its creator. Nothing is mapped before make().
class SetupReport {
 public:
  static constexpr size_t kSize = 512;

  SetupReport() = default;
  SetupReport(SetupReport&& other) noexcept : place_(std::exchange(other.place_, nullptr)) {}
  SetupReport& operator=(SetupReport&& other) noexcept {
    std::swap(place_, other.place_);
    return *this;
  }
  ~SetupReport();

  Result<void> make();
  // kSize bytes, zero at first.
  char* place() const { return place_; }
  // What the child said; empty if nothing. Gives the memory back.
  std::string take();

 private:
  char* place_ = nullptr;
};

struct StartSetup {
  const ProcessSetup* wanted = nullptr;
  SetupDescriptors descriptors;
  char* report = nullptr;  // kSize bytes, for the child to write to
};

// Says in the creator's place why a child could not be set up.
void setup_report(const Error& error, char* report, size_t size);

// In a forked child, before it is tied to its creator: a tie that it makes has to find the numbers
// taken that it is given something under. False if it failed, which was reported.
bool setup_forked_child(const StartSetup& setup);

}  // namespace mpc

#endif
