// SPDX-License-Identifier: Apache-2.0
#include "process/takeover.hpp"

#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>

#include "base/child_page.hpp"
#include "group/current.hpp"
#include "os/lifeline.hpp"
#include "os/loaded_object.hpp"
#include "process/child.hpp"
#include "process/image.hpp"
#include "process/program.hpp"
#include "process/start_ticket.hpp"

namespace mpc {
namespace {

constexpr int kCouldNotBegin = 255;

using Main = int (*)(int, char**, char**);
using StartMain = int (*)(Main, int, char**, void (*)(), void (*)(), void (*)(), void*);

struct Taken {
  StartTicket ticket;
  StartMain start_main;
};
MPC_CHILD_PAGE Taken taken{};
// Read at each load, and in each fresh image: among the constants they would be a page more.
MPC_CHILD_PAGE char variable[] = MPC_START_VARIABLE;
MPC_CHILD_PAGE char entry[] = "__libc_start_main";

MPC_CHILD_CODE int child_main(int, char**, char**) { return run_image_child(taken.ticket); }

struct RelroQuestion {
  uintptr_t page;
  bool answer;
};

MPC_CHILD_CODE int answer_relro_question(dl_phdr_info* info, size_t, void* data) {
  auto* asked = static_cast<RelroQuestion*>(data);
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const ElfW(Phdr)& header = info->dlpi_phdr[i];
    uintptr_t start = info->dlpi_addr + header.p_vaddr;
    if (header.p_type != PT_GNU_RELRO) continue;
    asked->answer =
        asked->page >= (start & ~uintptr_t{4095}) && asked->page < start + header.p_memsz;
  }
  return 1;  // the first is the program
}

// Whether a page of the program is within its PT_GNU_RELRO.
MPC_CHILD_CODE bool read_only_after_relocation(uintptr_t page) {
  RelroQuestion question{page, false};
  dl_iterate_phdr(answer_relro_question, &question);
  return question.answer;
}

// In the place of the C library's.
MPC_CHILD_CODE int start_child_main(Main, int argc, char** argv, void (*init)(), void (*fini)(),
                                    void (*rtld_fini)(), void* stack_end) {
  return taken.start_main(child_main, argc, argv, init, fini, rtld_fini, stack_end);
}

// To ask is two pages more of the C library, so it is not asked where there is one answer.
uintptr_t size_of_page() {
#if defined(__x86_64__)
  return 4096;
#else
  return static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
#endif
}

// Where relocations are read-only by now, for the moment of the write they are not.
MPC_CHILD_CODE bool put_in_slot(void** slot, void* value) {
  uintptr_t page_size = size_of_page();
  auto page = reinterpret_cast<uintptr_t>(slot) & ~(page_size - 1);
  if (mprotect(reinterpret_cast<void*>(page), page_size, PROT_READ | PROT_WRITE) != 0) return false;
  *slot = value;
  return !read_only_after_relocation(page) ||
         mprotect(reinterpret_cast<void*>(page), page_size, PROT_READ) == 0;
}

MPC_CHILD_CODE bool take_over() {
  void** slot = program_slot_of(entry);
  if (slot == nullptr) return false;
  taken.start_main = reinterpret_cast<StartMain>(*slot);
  return put_in_slot(slot, reinterpret_cast<void*>(start_child_main));
}

// An image that was to become a child runs in secure mode, which its starter could not foresee: as
// a security module decides. The program's main() must not run a second time. Nothing else is
// heeded of what anybody may have put into the environment of such an image.
void end_secured_image() {
  const char* text = getenv(variable);
  StartTicket ticket;
  if (text != nullptr && ticket_parse(text, ticket) && !ticket.for_program) {
    _exit(kCouldNotBegin);
  }
}

[[gnu::constructor]] void at_load() {
  // Not where the program runs with more rights than who started it.
  const char* text = secure_getenv(variable);
  if (text == nullptr) {
    end_secured_image();
    return;
  }
  bool sound = ticket_parse(text, taken.ticket);
  unsetenv(variable);
  if (!sound) return;
  if (taken.ticket.for_program) {
    program_join(taken.ticket);
    return;
  }
  set_bootstrapping(true);
  if (taken.ticket.preloaded) image_forget_preload();
  const StartTicket& ticket = taken.ticket;
  // It stays the child's own: not its children's.
  if (ticket.tie_fd >= 0) fcntl(ticket.tie_fd, F_SETFD, FD_CLOEXEC);
  if (ticket.tied && !lifeline_tie_image(ticket.tie_fd, ticket.parent_pid)) _exit(kCouldNotBegin);
  if (!take_over()) _exit(kCouldNotBegin);
}

}  // namespace

Result<Takeover> takeover_possible() {
  // The program is never unloaded: what is so once stays so.
  static std::atomic<bool> by_itself{false};
  if (by_itself.load(std::memory_order_relaxed)) return Takeover::kByItself;
  if (program_slot_of(entry) == nullptr) {
    return failure(MPC_EFUNCTION,
                   "the program does not call the C library through a table, so that a fresh image "
                   "of it cannot be taken over; link it dynamically, or put the function in a "
                   "shared library");
  }
  if (loaded_with_program(reinterpret_cast<const void*>(at_load))) {
    by_itself.store(true, std::memory_order_relaxed);
    return Takeover::kByItself;
  }
  // The sanitizers' runtime insists on being the first that is loaded.
  if (dlsym(RTLD_DEFAULT, "__asan_init") != nullptr) {
    return failure(MPC_EFUNCTION,
                   "the program has a sanitizer and loaded libmpc while it ran, so that a fresh "
                   "image of it would not have it; link the program with libmpc, or put the "
                   "function in a shared library");
  }
  return Takeover::kPreloaded;
}

}  // namespace mpc
