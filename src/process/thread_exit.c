/* SPDX-License-Identifier: Apache-2.0 */
#include "process/thread_exit.h"

#include <stddef.h>
#include <unwind.h>

/*
 * One for the process: it is the function of a child that is run so. Where a child has written
 * already (base/child_page.hpp).
 */
static struct {
  void (*leave)(void*);
  void* argument;
} now __attribute__((section(".data")));

/*
 * pthread_exit() and a cancellation unwind the stack by force, and ask at each frame what there is
 * to do. What can be asked about the frame is not: it is another copy of the unwinder that asks.
 */
__attribute__((used, visibility("hidden"))) _Unwind_Reason_Code mpc_thread_exit_personality(
    int version, _Unwind_Action actions, _Unwind_Exception_Class kind,
    struct _Unwind_Exception* exception, struct _Unwind_Context* context) {
  (void)version;
  (void)kind;
  (void)exception;
  (void)context;
  if ((actions & _UA_FORCE_UNWIND) != 0) now.leave(now.argument);
  return _URC_CONTINUE_UNWIND;
}

/* Calls body(argument) from a frame that has this personality, which no compiler writes. */
__attribute__((visibility("hidden"))) int mpc_call_watched(int (*body)(void*), void* argument);

__asm__(
    ".pushsection .text.hot.mpc_call_watched,\"ax\",%progbits\n"
    ".balign 16\n"
    ".hidden mpc_call_watched\n"
    ".globl mpc_call_watched\n"
    ".type mpc_call_watched,%function\n"
    "mpc_call_watched:\n"
    ".cfi_startproc\n"
    ".cfi_personality 0x1b, mpc_thread_exit_personality\n"
#if defined(__x86_64__)
    "push %rbp\n"
    ".cfi_def_cfa_offset 16\n"
    ".cfi_offset %rbp, -16\n"
    "mov %rsp, %rbp\n"
    ".cfi_def_cfa_register %rbp\n"
    "mov %rdi, %rax\n"
    "mov %rsi, %rdi\n"
    "call *%rax\n"
    "pop %rbp\n"
    ".cfi_def_cfa %rsp, 8\n"
    "ret\n"
#elif defined(__aarch64__)
    "stp x29, x30, [sp, #-16]!\n"
    ".cfi_def_cfa_offset 16\n"
    ".cfi_offset x29, -16\n"
    ".cfi_offset x30, -8\n"
    "mov x29, sp\n"
    "mov x2, x0\n"
    "mov x0, x1\n"
    "blr x2\n"
    "ldp x29, x30, [sp], #16\n"
    ".cfi_def_cfa_offset 0\n"
    ".cfi_restore x29\n"
    ".cfi_restore x30\n"
    "ret\n"
#else
#error "libmpc knows the calls of x86-64 and arm64"
#endif
    ".cfi_endproc\n"
    ".size mpc_call_watched, .-mpc_call_watched\n"
    ".popsection\n");

__attribute__((hot)) int run_with_thread_exit(int (*body)(void*), void (*leave)(void*),
                                              void* argument) {
  now.leave = leave;
  now.argument = argument;
  return mpc_call_watched(body, argument);
}
