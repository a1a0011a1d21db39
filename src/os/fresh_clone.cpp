// SPDX-License-Identifier: Apache-2.0
#include "os/fresh_clone.hpp"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>

#include <cstdint>

namespace mpc {
namespace {

// linux/sched.h cannot be included beside sched.h.
struct CloneArguments {
  uint64_t flags;
  uint64_t pidfd;
  uint64_t child_tid;
  uint64_t parent_tid;
  uint64_t exit_signal;
  uint64_t stack;
  uint64_t stack_size;
  uint64_t tls;
};
constexpr uint64_t kClearHandlers = uint64_t{1} << 32;  // CLONE_CLEAR_SIGHAND, Linux 5.5

// The child comes out of the kernel on an empty stack, so what follows cannot be written in C++.
long clone3(const CloneArguments& arguments, int (*body)(void*), void* data) {
#if defined(__x86_64__)
  long result;
  register int (*r12)(void*) __asm__("r12") = body;
  register void* r13 __asm__("r13") = data;
  __asm__ volatile(
      "syscall\n\t"
      "test %%rax, %%rax\n\t"
      "jnz 1f\n\t"
      "xor %%ebp, %%ebp\n\t"
      "mov %%r13, %%rdi\n\t"
      "call *%%r12\n\t"
      "hlt\n"
      "1:"
      : "=a"(result)
      : "a"(SYS_clone3), "D"(&arguments), "S"(sizeof arguments), "r"(r12), "r"(r13)
      : "rcx", "r11", "memory");
  return result;
#elif defined(__aarch64__)
  register long x8 __asm__("x8") = SYS_clone3;
  register long x0 __asm__("x0") = reinterpret_cast<long>(&arguments);
  register long x1 __asm__("x1") = sizeof arguments;
  register int (*x9)(void*) __asm__("x9") = body;
  register void* x10 __asm__("x10") = data;
  __asm__ volatile(
      "svc 0\n\t"
      "cbnz x0, 1f\n\t"
      "mov x29, xzr\n\t"
      "mov x0, x10\n\t"
      "blr x9\n\t"
      "brk 0\n"
      "1:"
      : "+r"(x0)
      : "r"(x8), "r"(x1), "r"(x9), "r"(x10)
      : "memory");
  return x0;
#else
#error "libmpc knows the system calls of x86-64 and arm64"
#endif
}

}  // namespace

long fresh_clone(int (*body)(void*), void* data, char* stack, size_t size, bool& handlers_reset) {
  CloneArguments arguments{};
  arguments.flags = CLONE_VM | CLONE_VFORK | kClearHandlers;
  arguments.exit_signal = SIGCHLD;
  arguments.stack = reinterpret_cast<uintptr_t>(stack);
  arguments.stack_size = size;
  handlers_reset = true;
  long pid = clone3(arguments, body, data);
  // A sandbox whose profile does not know the call.
  if (pid != -ENOSYS && pid != -EPERM && pid != -EINVAL) return pid;
  handlers_reset = false;
  pid = clone(body, stack + size, CLONE_VM | CLONE_VFORK | SIGCHLD, data);
  return pid < 0 ? -errno : pid;
}

}  // namespace mpc
