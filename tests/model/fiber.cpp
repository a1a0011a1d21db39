// SPDX-License-Identifier: Apache-2.0
// The room of a fiber, from low to high addresses: the stack (which grows down), the frame (what
// is needed to go on), the heap. A copy is the one range from the lowest live byte of the stack to
// the last byte of the heap in use.
#include "fiber.hpp"

#include <setjmp.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

#if defined(__SANITIZE_ADDRESS__)
#define MPC_MODEL_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MPC_MODEL_ASAN 1
#endif
#endif

#ifdef MPC_MODEL_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>

// A local that lives outside the room would be missing from the copy.
extern "C" const char* __asan_default_options() { return "detect_stack_use_after_return=0"; }
#endif

namespace mpc::model {
namespace {

constexpr size_t kStack = 256 * 1024;
constexpr size_t kHeap = 64 * 1024;
constexpr size_t kFrame = 512;
constexpr size_t kRoom = kStack + kFrame + kHeap;

Fiber* running = nullptr;
jmp_buf scheduler;

#ifdef MPC_MODEL_ASAN
const void* host_stack = nullptr;
size_t host_stack_size = 0;
#endif

// Tells the address sanitizer that the stack pointer is about to be, and is, on another stack.
void announce_switch([[maybe_unused]] const void* stack, [[maybe_unused]] size_t size) {
#ifdef MPC_MODEL_ASAN
  __sanitizer_start_switch_fiber(nullptr, stack, size);
#endif
}

void switched_to_fiber() {
#ifdef MPC_MODEL_ASAN
  __sanitizer_finish_switch_fiber(nullptr, &host_stack, &host_stack_size);
#endif
}

void switched_to_host() {
#ifdef MPC_MODEL_ASAN
  __sanitizer_finish_switch_fiber(nullptr, nullptr, nullptr);
#endif
}

void announce_switch_to_host() {
#ifdef MPC_MODEL_ASAN
  announce_switch(host_stack, host_stack_size);
#endif
}

}  // namespace

struct Fiber::Frame {
  jmp_buf resume_at;
  unsigned char* low;  // the lowest byte of the stack in use
  size_t heap_used;
  size_t heap_live;  // blocks not freed yet; the heap is empty again when there are none
  bool finished;
};

Fiber::Fiber(std::function<void()> body) : body_(std::move(body)) {
  static_assert(sizeof(Frame) <= kFrame);
  void* room = mmap(nullptr, kRoom, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (room == MAP_FAILED) std::abort();
  room_ = static_cast<unsigned char*>(room);
  frame_ = new (room_ + kStack) Frame{};
  frame_->low = room_ + kStack;
  deepest_ = room_ + kStack;
}

Fiber::~Fiber() { munmap(room_, kRoom); }

bool Fiber::finished() const { return frame_->finished; }

Fiber* Fiber::current() { return running; }

bool Fiber::contains(const void* address) const {
  const auto at = reinterpret_cast<uintptr_t>(address);
  const auto base = reinterpret_cast<uintptr_t>(room_);
  return at >= base && at < base + kRoom;
}

void Fiber::enter() {
  switched_to_fiber();
  running->body_();
  running->frame_->finished = true;
  leave();
}

void Fiber::start() {
  // makecontext alone can put a function on a new stack; from then on the cheaper jumps do.
  *frame_ = Frame{};
  frame_->low = room_ + kStack;
  clear_below(frame_->low);
  ucontext_t context;
  if (getcontext(&context) != 0) std::abort();
  context.uc_stack.ss_sp = room_;
  context.uc_stack.ss_size = kStack;
  context.uc_link = nullptr;
  makecontext(&context, &Fiber::enter, 0);
  running = this;
  if (_setjmp(scheduler) == 0) {
    announce_switch(room_, kStack);
    setcontext(&context);
  }
  switched_out();
}

void Fiber::resume() {
  // What earlier runs left below the live stack must not show up in later copies as noise.
  clear_below(frame_->low);
  running = this;
  if (_setjmp(scheduler) == 0) {
    announce_switch(room_, kStack);
    _longjmp(frame_->resume_at, 1);
  }
  switched_out();
}

__attribute__((noinline)) void Fiber::pause() {
  if (_setjmp(running->frame_->resume_at) == 0) leave();
  switched_to_fiber();
}

// A function of its own, so that its frame lies below all of the frame that has to be kept.
__attribute__((noinline)) void Fiber::leave() {
  running->frame_->low = static_cast<unsigned char*>(__builtin_frame_address(0));
  announce_switch_to_host();
  _longjmp(scheduler, 1);
}

void Fiber::switched_out() {
  switched_to_host();
  running = nullptr;
#ifdef MPC_MODEL_ASAN
  // The red zones in the shadow belong to one point of one run; the copies know nothing of them.
  __asan_unpoison_memory_region(room_, kRoom);
#endif
  // The deepest call of the run is not known; one that went further than this leaves noise, which
  // costs merged states and nothing else.
  constexpr size_t kReach = 4096;
  unsigned char* reach = frame_->low - std::min<size_t>(kReach, frame_->low - room_);
  deepest_ = std::min(deepest_, reach);
}

void Fiber::clear_below(unsigned char* low) {
  if (deepest_ < low) std::memset(deepest_, 0, low - deepest_);
}

void Fiber::save(std::vector<unsigned char>* out) const {
  const uint64_t from = frame_->low - room_;
  const auto* head = reinterpret_cast<const unsigned char*>(&from);
  out->insert(out->end(), head, head + sizeof(from));
  out->insert(out->end(), room_ + from, room_ + kStack + kFrame + frame_->heap_used);
}

void Fiber::restore(const unsigned char* bytes, size_t size) {
  uint64_t from;
  std::memcpy(&from, bytes, sizeof(from));
  std::memcpy(room_ + from, bytes + sizeof(from), size - sizeof(from));
}

Fiber::Outside::Outside() : inside_(running) { running = nullptr; }

Fiber::Outside::~Outside() { running = inside_; }

void* Fiber::heap_allocate(size_t size, size_t alignment) {
  unsigned char* heap = room_ + kStack + kFrame;
  const size_t grain = std::max<size_t>(alignment, 16);
  const size_t from = (frame_->heap_used + grain - 1) & ~(grain - 1);
  const size_t rounded = (std::max<size_t>(size, 1) + 15) & ~size_t{15};
  if (rounded > kHeap - from) return nullptr;
  // Zeroed, because what a previous run left there would make equal states look different.
  std::memset(heap + from, 0, rounded);
  frame_->heap_used = from + rounded;
  ++frame_->heap_live;
  return heap + from;
}

void Fiber::heap_free() {
  if (--frame_->heap_live == 0) frame_->heap_used = 0;
}

}  // namespace mpc::model
