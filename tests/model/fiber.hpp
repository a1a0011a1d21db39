// SPDX-License-Identifier: Apache-2.0
// A participant of a model: code on a stack of its own that can be stopped, copied away, and put
// back later as if nothing had happened since.
//
// Everything that the code may change without announcing it has to be in the copy, so a fiber's
// room holds its stack and a small heap that serves operator new while the fiber runs. Copying
// works because the room never moves: pointers into it stay right. Code that keeps state elsewhere
// (a thread-local variable, a member of a long-lived object) needs Interleaver::own or keep.
#ifndef MPC_TESTS_MODEL_FIBER_HPP
#define MPC_TESTS_MODEL_FIBER_HPP

#include <cstddef>
#include <functional>
#include <vector>

namespace mpc::model {

class Fiber {
 public:
  explicit Fiber(std::function<void()> body);
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // Runs from the beginning until the first pause() or the end.
  void start();
  // Goes on from the last pause(), or from where restore() put it.
  void resume();
  bool finished() const;

  // Appends all that the code has changed in its room.
  void save(std::vector<unsigned char>* out) const;
  // Puts back what save() appended.
  void restore(const unsigned char* bytes, size_t size);

  // True for an address in this fiber's room, which no other fiber can know.
  bool contains(const void* address) const;

  // The fiber that runs now, or nullptr.
  static Fiber* current();
  // Gives control back to start() or resume(). REQUIRES: current() is not nullptr.
  static void pause();

  // While one exists, what the running fiber allocates is not its own but the interleaver's.
  class Outside {
   public:
    Outside();
    ~Outside();
    Outside(const Outside&) = delete;
    Outside& operator=(const Outside&) = delete;

   private:
    Fiber* inside_;
  };

  // For operator new and delete while this fiber runs; nullptr where the heap is full.
  void* heap_allocate(size_t size, size_t alignment);
  void heap_free();

 private:
  struct Frame;

  static void enter();
  [[noreturn]] static void leave();
  void switched_out();
  void clear_below(unsigned char* low);

  std::function<void()> body_;
  unsigned char* room_;
  Frame* frame_;
  unsigned char* deepest_;  // the lowest address of the stack that may not be zero
};

}  // namespace mpc::model

#endif
