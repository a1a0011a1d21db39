// SPDX-License-Identifier: Apache-2.0
#include "interleaver.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <utility>

namespace mpc::model {
namespace {

Interleaver* active = nullptr;

// A loop that only loads has to come back to the interleaver now and then.
constexpr int kMostLoadsInStep = 200;

}  // namespace
}  // namespace mpc::model

void mpc::interleave_step(const void* word, Access access) {
  if (model::active != nullptr) model::active->announce(word, access);
}

namespace mpc::model {

Interleaver::Interleaver(std::string name, Limits limits)
    : name_(std::move(name)), limits_(limits) {
  active = this;
}

Interleaver::~Interleaver() { active = nullptr; }

int Interleaver::participant(std::string name, std::function<void()> body) {
  if (participants_.size() == kMost) std::abort();
  participants_.push_back({std::move(name), std::make_unique<Fiber>(std::move(body))});
  return static_cast<int>(participants_.size()) - 1;
}

void Interleaver::keep(const void* address, size_t size) { kept_.push_back({address, size}); }

void Interleaver::own(void* address, size_t size) {
  auto* bytes = static_cast<unsigned char*>(address);
  own_.push_back({bytes, size, {}});
}

void Interleaver::at_each_end(std::function<std::string()> check) { check_ = std::move(check); }

bool Interleaver::is_dead(int participant) {
  announce(&gone_[participant], Access::kLoad);
  return gone_[participant] != 0;
}

void Interleaver::require(bool holds, const char* what) {
  if (holds) return;
  complaint_ = what;
  if (Fiber::current() != nullptr) Fiber::pause();
}

bool Interleaver::is_private(const void* word) const {
  if (Fiber::current()->contains(word)) return true;
  const auto* at = static_cast<const unsigned char*>(word);
  return std::any_of(own_.begin(), own_.end(), [at](const Range& range) {
    return at >= range.address && at < range.address + range.size;
  });
}

bool Interleaver::may_go_on(const void* word, Access access) {
  Fiber::Outside outside;
  if (access != Access::kLoad) {
    accesses_.written(word, self_);
    return false;
  }
  return ++loads_in_step_ <= kMostLoadsInStep && accesses_.assume_own(word, self_);
}

void Interleaver::announce(const void* word, Access access) {
  if (Fiber::current() == nullptr) {
    // What a check changes is put back afterwards, so it has to be watched too.
    if (checking_) memory_.watch(word);
    return;
  }
  if (is_private(word) || may_go_on(word, access)) return;
  announced_ = {word, access};
  Fiber::pause();
}

void Interleaver::empty(void* address, size_t size) {
  if (self_ >= 0) {
    Fiber::Outside outside;
    accesses_.written_range(address, size, self_);
  }
  announce(address, Access::kStore);
  memory_.empty(address, size);
}

uint32_t Interleaver::save_local(size_t who) {
  scratch_.clear();
  for (const Range& range : own_) {
    scratch_.insert(scratch_.end(), range.address, range.address + range.size);
  }
  participants_[who].fiber->save(&scratch_);
  const BlobTable::Interned local = locals_.intern(scratch_.data(), scratch_.size());
  if (local.is_new) pending_.push_back(announced_);
  return local.id;
}

void Interleaver::restore_local(size_t who, uint32_t id) {
  const unsigned char* bytes = locals_.bytes(id);
  size_t size = locals_.size(id);
  for (const Range& range : own_) {
    std::memcpy(range.address, bytes, range.size);
    bytes += range.size;
    size -= range.size;
  }
  participants_[who].fiber->restore(bytes, size);
}

void Interleaver::reset_own() {
  for (const Range& range : own_) {
    std::memcpy(range.address, range.first.data(), range.size);
  }
}

Interleaver::State Interleaver::begin() {
  locals_ = BlobTable();
  states_ = BlobTable();
  pending_.clear();
  origins_.clear();
  next_.clear();
  report_ = Report();
  // Number 0 stands for a participant that no longer has a local state.
  locals_.intern(nullptr, 0);
  pending_.push_back({});
  State state{};
  for (size_t who = 0; who < participants_.size(); ++who) {
    reset_own();
    self_ = static_cast<int>(who);
    loads_in_step_ = 0;
    participants_[who].fiber->start();
    if (participants_[who].fiber->finished()) {
      state.status[who] = Status::kFinished;
    } else {
      memory_.watch(announced_.word);
      state.local[who] = save_local(who);
    }
  }
  self_ = -1;
  state.memory = memory_.save();
  return state;
}

Interleaver::State Interleaver::state(uint32_t id) const {
  State state;
  std::memcpy(&state, states_.bytes(id), sizeof(state));
  return state;
}

uint32_t Interleaver::add(const State& state, const Origin& origin) {
  const BlobTable::Interned interned = states_.intern(&state, sizeof(state));
  if (interned.is_new) {
    origins_.push_back(origin);
    next_.resize(next_.size() + participants_.size(), UINT32_MAX);
  }
  return interned.id;
}

int Interleaver::dead_in(const State& state) const {
  return static_cast<int>(std::count(state.status, state.status + kMost, Status::kDead));
}

void Interleaver::step(uint32_t from, size_t who) {
  State state = this->state(from);
  memory_.restore(state.memory);
  restore_local(who, state.local[who]);
  self_ = static_cast<int>(who);
  loads_in_step_ = 0;
  participants_[who].fiber->resume();
  self_ = -1;
  ++report_.steps;
  state.local[who] = 0;
  if (participants_[who].fiber->finished()) {
    state.status[who] = Status::kFinished;
  } else if (complaint_ == nullptr) {
    memory_.watch(announced_.word);
    state.local[who] = save_local(who);
  }
  state.memory = memory_.save();
  const uint32_t to = add(state, {from, static_cast<uint8_t>(who), false});
  next(from, who) = to;
  if (complaint_ != nullptr) {
    fail(to, participants_[who].name + ": " + complaint_);
  }
}

void Interleaver::die(uint32_t from, size_t who) {
  State state = this->state(from);
  memory_.restore(state.memory);
  gone_[who] = 1;
  state.status[who] = Status::kDead;
  state.local[who] = 0;
  state.memory = memory_.save();
  ++report_.deaths;
  add(state, {from, static_cast<uint8_t>(who), true});
}

void Interleaver::check_end(uint32_t at) {
  ++report_.ends;
  if (!check_) return;
  memory_.restore(state(at).memory);
  reset_own();
  checking_ = true;
  std::string wrong = check_();
  checking_ = false;
  if (complaint_ != nullptr) wrong = complaint_;
  if (!wrong.empty()) fail(at, std::move(wrong));
}

void Interleaver::fail(uint32_t at, std::string what) {
  if (!report_.fault.empty()) return;
  report_.fault = std::move(what);
  report_.schedule = schedule_to(at);
}

void Interleaver::explore_once() {
  add(begin(), {});
  // States are numbered as they are found, so the numbers themselves are the queue.
  for (uint32_t at = 0; at < states_.count() && report_.fault.empty(); ++at) {
    if (states_.count() > limits_.states) {
      report_.fault = "more than " + std::to_string(limits_.states) + " states";
      return;
    }
    const State state = this->state(at);
    const bool may_die = dead_in(state) < limits_.deaths;
    bool over = true;
    for (size_t who = 0; who < participants_.size() && report_.fault.empty(); ++who) {
      if (state.status[who] != Status::kRunning) continue;
      over = false;
      step(at, who);
      if (may_die) die(at, who);
    }
    if (over) check_end(at);
  }
}

Report Interleaver::explore() {
  // From here on everything is put back to what it is now.
  memory_.watch_range(gone_, sizeof(gone_));
  for (const Kept& kept : kept_) memory_.watch_range(kept.address, kept.size);
  for (Range& range : own_) range.first.assign(range.address, range.address + range.size);
  // Death is a write to it, by nobody who is a participant.
  accesses_.written_range(gone_, sizeof(gone_), kMost);
  do {
    memory_.reset();
    explore_once();
  } while (report_.fault.empty() && accesses_.take_contradiction());
  if (report_.fault.empty()) look_for_hangs();
  if (report_.fault.empty() && limits_.nobody_waits) look_for_waits();
  report_.states = states_.count();
  report_.holds = report_.fault.empty();
  memory_.reset();
  reset_own();
  return report_;
}

Report explore_and_print(Interleaver* interleaver) {
  const auto start = std::chrono::steady_clock::now();
  Report report = interleaver->explore();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  std::printf("%zu states, %zu steps, %zu deaths, %zu ends, %.2f s\n", report.states, report.steps,
              report.deaths, report.ends, took.count());
  return report;
}

}  // namespace mpc::model
