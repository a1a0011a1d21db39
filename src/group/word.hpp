// SPDX-License-Identifier: Apache-2.0
// The one way to reach a word that several processes share.
//
// Everything in group memory that more than one participant may touch is a Word. Its accessors are
// plain atomics in the library; a build with MPC_INTERLEAVE announces each access first, so that
// the interleaver can stop a participant there, let others go on, or let it die.
//
// Ordering: compare-and-swap and loads are sequentially consistent, because claims and the checks
// that follow them form Dekker pairs (an allocator claims a block, then looks at the region; a
// retirer closes the region, then looks at the blocks). Such a load costs what one that acquires
// does, on x86-64 (MOV) and on arm64 (LDAR). Stores release; fence() where one must be seen before
// a later load.
#ifndef MPC_GROUP_WORD_HPP
#define MPC_GROUP_WORD_HPP

#include <atomic>
#include <cstdint>

namespace mpc {

#ifdef MPC_INTERLEAVE
enum class Access { kLoad, kStore, kUpdate };
// Called before every access to a shared word, by the participant that is about to do it.
void interleave_step(const void* word, Access access);
#define MPC_STEP(access) interleave_step(&value_, Access::access)
#else
#define MPC_STEP(access) static_cast<void>(0)
#endif

template <class T>
class Word {
 public:
  static_assert(std::atomic<T>::is_always_lock_free);

  T load() const {
    MPC_STEP(kLoad);
    return value_.load(std::memory_order_seq_cst);
  }

  // For hints and statistics: no order with other words is wanted.
  T peek() const {
    MPC_STEP(kLoad);
    return value_.load(std::memory_order_relaxed);
  }

  void store(T value) {
    MPC_STEP(kStore);
    value_.store(value, std::memory_order_release);
  }

  // For words that only their owner writes and nobody acts on before a later release.
  void set(T value) {
    MPC_STEP(kStore);
    value_.store(value, std::memory_order_relaxed);
  }

  // True if the word held `expected` and now holds `desired`.
  bool cas(T expected, T desired) {
    MPC_STEP(kUpdate);
    return value_.compare_exchange_strong(expected, desired, std::memory_order_seq_cst);
  }

  T add(T n) {
    MPC_STEP(kUpdate);
    return value_.fetch_add(n, std::memory_order_seq_cst);
  }

  T set_bits(T bits) {
    MPC_STEP(kUpdate);
    return value_.fetch_or(bits, std::memory_order_seq_cst);
  }

  T clear_bits(T bits) {
    MPC_STEP(kUpdate);
    return value_.fetch_and(static_cast<T>(~bits), std::memory_order_seq_cst);
  }

  // The address, for futex calls alone.
  const void* address() const { return &value_; }

 private:
  std::atomic<T> value_;
};

// Makes this thread's stores visible before its later loads.
inline void fence() { std::atomic_thread_fence(std::memory_order_seq_cst); }

}  // namespace mpc

#endif
