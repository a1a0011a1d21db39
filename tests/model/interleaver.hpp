// SPDX-License-Identifier: Apache-2.0
// Explores every interleaving of two to four participants that run real library code, in which any
// of them may die, or be stalled for as long as the others like, before any access to a shared
// word.
//
// Each participant is a fiber. Word announces every access (MPC_INTERLEAVE), and there the fiber
// is stopped: "participant i makes its access and goes on to the next" is one transition, and
// "participant i dies here" is another. A state is the contents of all shared words and the whole
// local state (stack and heap) of each living participant; it is compared byte by byte, so a state
// met before is not explored again, a loop that waits for somebody comes back to its own state and
// ends the search there, and nothing is assumed about the code but that it keeps its state in
// those places. The order is breadth first: the schedule that is printed is a shortest one.
//
// Four things can be wrong, and each makes explore() fail: a check at the end of a run, a
// requirement in the middle, a state from which no schedule reaches an end although nobody else
// dies (a hang), and, where nobody may wait for a stalled participant, a participant that alone
// never comes to its end.
//
// A load that nobody else can influence is no point to stop at (access_record.hpp).
//
// One order of accesses for all is assumed: what weak ordering adds is not explored.
#ifndef MPC_TESTS_MODEL_INTERLEAVER_HPP
#define MPC_TESTS_MODEL_INTERLEAVER_HPP

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "access_record.hpp"
#include "blob_table.hpp"
#include "fiber.hpp"
#include "group/word.hpp"
#include "watched_memory.hpp"

namespace mpc::model {

struct Limits {
  int deaths = 1;
  // True: a participant must come to its end alone from everywhere, whoever is stalled wherever.
  bool nobody_waits = false;
  // Beyond it the exploration is given up, and fails: half a proof is none.
  size_t states = 3'000'000;
};

struct Report {
  bool holds = false;
  std::string fault;     // what is wrong, in a line; empty where it holds
  std::string schedule;  // the steps that lead there, one a line
  // Of the last exploration: one is begun anew when a word turns out to have a second writer.
  size_t states = 0;
  size_t steps = 0;
  size_t deaths = 0;
  size_t ends = 0;
};

class Interleaver {
 public:
  explicit Interleaver(std::string name, Limits limits = {});
  ~Interleaver();
  Interleaver(const Interleaver&) = delete;
  Interleaver& operator=(const Interleaver&) = delete;

  // Adds a participant; returns its number.
  int participant(std::string name, std::function<void()> body);

  // The eight aligned bytes around a shared or kept word are put back before each step: nothing
  // else that changes may be in them. What a participant does between two accesses belongs to the
  // first of them: it does not die in between.

  // Memory that participants change without announcing it: outcomes, members of long-lived objects.
  void keep(const void* address, size_t size);
  template <class T>
  void keep(const T& object) {
    keep(&object, sizeof(T));
  }

  // Memory of which each participant has a copy of its own, as of a thread-local variable.
  void own(void* address, size_t size);

  // How the words from `address` on are called in a schedule.
  void call(const void* address, size_t size, std::string name);
  template <class T>
  void call(const T& object, std::string name) {
    call(&object, sizeof(T), std::move(name));
  }

  // Runs at each end (every participant has finished or is dead) with the memory as it is then;
  // may run library code; returns what is wrong, or an empty string.
  void at_each_end(std::function<std::string()> check);

  // What the kernel would say about a participant.
  bool is_dead(int participant);

  // In a participant: ends the exploration unless `holds`.
  void require(bool holds, const char* what);

  // Which participant runs now; -1 for none.
  int self() const { return self_; }
  bool exploring() const { return self_ != -1 || checking_; }

  // The participant that runs now is about to empty this memory, by means that no word announces.
  void empty(void* address, size_t size);

  Report explore();

 private:
  friend void mpc::interleave_step(const void* word, Access access);

  static constexpr size_t kMost = 4;

  enum class Status : uint8_t { kRunning, kFinished, kDead };

  struct State {
    uint32_t local[kMost];
    Status status[kMost];
    uint32_t memory;
  };

  struct Participant {
    std::string name;
    std::unique_ptr<Fiber> fiber;
  };

  // The access before which a local state stands.
  struct Pending {
    const void* word;
    Access access;
  };

  struct Range {
    unsigned char* address;
    size_t size;
    std::vector<unsigned char> first;
  };

  struct Kept {
    const void* address;
    size_t size;
  };

  struct Name {
    const unsigned char* address;
    size_t size;
    std::string name;
  };

  struct Origin {
    uint32_t from;
    uint8_t participant;
    bool died;
  };

  void announce(const void* word, Access access);
  bool is_private(const void* word) const;
  bool may_go_on(const void* word, Access access);
  State begin();
  void explore_once();
  void step(uint32_t from, size_t who);
  void die(uint32_t from, size_t who);
  void check_end(uint32_t at);
  uint32_t save_local(size_t who);
  void restore_local(size_t who, uint32_t id);
  void reset_own();
  uint32_t add(const State& state, const Origin& origin);
  State state(uint32_t id) const;
  int dead_in(const State& state) const;
  uint32_t& next(uint32_t from, size_t who) { return next_[from * participants_.size() + who]; }
  void fail(uint32_t at, std::string what);

  void look_for_hangs();
  void look_for_waits();

  std::string schedule_to(uint32_t at) const;
  std::string line_of(const Origin& origin, uint32_t to) const;
  std::string name_of(const void* word) const;

  std::string name_;
  Limits limits_;
  std::vector<Participant> participants_;
  std::vector<Kept> kept_;
  std::vector<Range> own_;
  std::vector<Name> names_;
  std::function<std::string()> check_;

  AccessRecord accesses_;
  WatchedMemory memory_;
  BlobTable locals_;
  std::vector<Pending> pending_;
  BlobTable states_;
  std::vector<Origin> origins_;
  std::vector<uint32_t> next_;  // by state and participant: where its step leads
  std::vector<unsigned char> scratch_;

  uint64_t gone_[kMost] = {};  // what the kernel knows; shared, but no group memory
  int self_ = -1;
  bool checking_ = false;
  Pending announced_{};
  int loads_in_step_ = 0;
  const char* complaint_ = nullptr;
  Report report_;
};

// Explores, prints a line of figures, and returns the report.
Report explore_and_print(Interleaver* interleaver);

}  // namespace mpc::model

#endif
