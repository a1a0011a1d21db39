// SPDX-License-Identifier: Apache-2.0
#include "os/signals.hpp"

#include <signal.h>
#include <sys/syscall.h>

#include "base/child_page.hpp"
#include "os/raw_syscall.hpp"

namespace mpc {

namespace {

// As the kernel has it; linux/signal.h cannot be included beside signal.h.
struct KernelAction {
  void (*handler)(int);
  unsigned long flags;
  void (*restorer)();
  uint64_t mask;
};

// Past the C library, which takes a third longer, and whose code is not in a fresh child yet.
[[gnu::always_inline]] inline long sigaction_of(int signal, const KernelAction* set,
                                                KernelAction* old) {
  return raw_syscall(SYS_rt_sigaction, signal, reinterpret_cast<long>(set),
                     reinterpret_cast<long>(old), sizeof set->mask);
}

[[gnu::always_inline]] inline void set_disposition(int signal, void (*handler)(int)) {
  KernelAction action{handler, 0, nullptr, 0};
  sigaction_of(signal, &action, nullptr);
}

// The signals whose disposition is as `wanted` says.
template <class Wanted>
[[gnu::always_inline]] inline uint64_t signals_with(Wanted wanted) {
  static_assert(NSIG <= 65);
  uint64_t found = 0;
  for (int signal = 1; signal < NSIG; ++signal) {
    // What is between the standard and the realtime signals is the C library's own.
    bool internal = signal >= 32 && signal < SIGRTMIN;
    KernelAction action{};
    if (internal || sigaction_of(signal, nullptr, &action) != 0) continue;
    if (wanted(action.handler)) found |= uint64_t{1} << (signal - 1);
  }
  return found;
}

}  // namespace

MPC_CHILD_CODE uint64_t signals_handled() {
  return signals_with(
      [](void (*handler)(int)) { return handler != SIG_DFL && handler != SIG_IGN; });
}

uint64_t signals_ignored() {
  return signals_with([](void (*handler)(int)) { return handler == SIG_IGN; });
}

MPC_CHILD_CODE void signals_ignore(uint64_t wanted, uint64_t present) {
  for (int signal = 1; signal < NSIG; ++signal) {
    uint64_t bit = uint64_t{1} << (signal - 1);
    if (((wanted ^ present) & bit) != 0) {
      set_disposition(signal, (wanted & bit) != 0 ? SIG_IGN : SIG_DFL);
    }
  }
}

MPC_CHILD_CODE void signals_reset(uint64_t handled) {
  for (int signal = 1; signal < NSIG; ++signal) {
    if ((handled >> (signal - 1) & 1) != 0) set_disposition(signal, SIG_DFL);
  }
}

MPC_CHILD_CODE void interrupt_ignore(bool ignore) {
  set_disposition(SIGINT, ignore ? SIG_IGN : SIG_DFL);
}

}  // namespace mpc
