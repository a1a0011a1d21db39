// SPDX-License-Identifier: Apache-2.0
// What the stepper has to know about a processor: where it is, which instruction enters the kernel,
// and how a breakpoint is written.
#ifndef MPC_TESTS_KILL_MACHINE_HPP
#define MPC_TESTS_KILL_MACHINE_HPP

#include <elf.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/user.h>

#include <cstdint>

namespace kill_tests {

#if defined(__x86_64__)

using Registers = user_regs_struct;
inline uint64_t place(const Registers& registers) { return registers.rip; }
inline void set_place(Registers& registers, uint64_t to) { registers.rip = to; }
inline bool enters_kernel(uint64_t code) { return (code & 0xffff) == 0x050f; }
inline uint64_t with_breakpoint(uint64_t code) { return (code & ~uint64_t{0xff}) | 0xcc; }
// A breakpoint that was hit leaves the processor behind it.
inline constexpr uint64_t kBreakpointLength = 1;
// The interrupted call is not made again when the place is changed.
inline void forget_call(Registers& registers) { registers.orig_rax = ~uint64_t{0}; }

#elif defined(__aarch64__)

using Registers = user_regs_struct;
inline uint64_t place(const Registers& registers) { return registers.pc; }
inline void set_place(Registers& registers, uint64_t to) { registers.pc = to; }
inline bool enters_kernel(uint64_t code) { return (code & 0xffe0001f) == 0xd4000001; }
inline uint64_t with_breakpoint(uint64_t code) {
  return (code & ~uint64_t{0xffffffff}) | 0xd4200000;
}
inline constexpr uint64_t kBreakpointLength = 0;
inline void forget_call(Registers&) {}

#else
#error "the kill harness knows x86-64 and aarch64"
#endif

inline bool read_registers(pid_t pid, Registers& registers) {
  iovec range{&registers, sizeof registers};
  return ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &range) == 0;
}

inline bool write_registers(pid_t pid, Registers& registers) {
  iovec range{&registers, sizeof registers};
  return ptrace(PTRACE_SETREGSET, pid, NT_PRSTATUS, &range) == 0;
}

}  // namespace kill_tests

#endif
