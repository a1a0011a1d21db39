// SPDX-License-Identifier: Apache-2.0
#include "process/takeover.hpp"

#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/child_page.hpp"
#include "group/current.hpp"
#include "os/lifeline.hpp"
#include "os/loaded_object.hpp"
#include "process/child.hpp"

namespace mpc {
namespace {

constexpr char kEntry[] = "__libc_start_main";
constexpr int kCouldNotBegin = 255;

using Main = int (*)(int, char**, char**);
using StartMain = int (*)(Main, int, char**, void (*)(), void (*)(), void (*)(), void*);

struct Taken {
  StartTicket ticket;
  StartMain start_main;
};
MPC_CHILD_PAGE Taken taken{};
// Read at each load: among the constants it would be a page more.
MPC_CHILD_PAGE char variable[] = "LIBMPC_START";

int child_main(int, char**, char**) { return run_image_child(taken.ticket); }

// Whether a page of the program is within its PT_GNU_RELRO.
bool read_only_after_relocation(uintptr_t page) {
  struct Question {
    uintptr_t page;
    bool answer;
  } question{page, false};
  dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void* data) {
        auto* asked = static_cast<Question*>(data);
        for (int i = 0; i < info->dlpi_phnum; ++i) {
          const ElfW(Phdr)& header = info->dlpi_phdr[i];
          uintptr_t start = info->dlpi_addr + header.p_vaddr;
          if (header.p_type != PT_GNU_RELRO) continue;
          asked->answer =
              asked->page >= (start & ~uintptr_t{4095}) && asked->page < start + header.p_memsz;
        }
        return 1;  // the first is the program
      },
      &question);
  return question.answer;
}

// In the place of the C library's.
int start_child_main(Main, int argc, char** argv, void (*init)(), void (*fini)(),
                     void (*rtld_fini)(), void* stack_end) {
  return taken.start_main(child_main, argc, argv, init, fini, rtld_fini, stack_end);
}

// Where relocations are read-only by now, for the moment of the write they are not.
bool put_in_slot(void** slot, void* value) {
  auto page_size = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  auto page = reinterpret_cast<uintptr_t>(slot) & ~(page_size - 1);
  if (mprotect(reinterpret_cast<void*>(page), page_size, PROT_READ | PROT_WRITE) != 0) return false;
  *slot = value;
  return !read_only_after_relocation(page) ||
         mprotect(reinterpret_cast<void*>(page), page_size, PROT_READ) == 0;
}

bool take_over() {
  void** slot = program_slot_of(kEntry);
  if (slot == nullptr) return false;
  taken.start_main = reinterpret_cast<StartMain>(*slot);
  return put_in_slot(slot, reinterpret_cast<void*>(start_child_main));
}

[[gnu::constructor]] void at_load() {
  // Not where the program runs with more rights than who started it.
  const char* text = secure_getenv(variable);
  if (text == nullptr) return;
  bool sound = ticket_parse(text, taken.ticket);
  unsetenv(variable);
  if (!sound) return;
  set_bootstrapping(true);
  const StartTicket& ticket = taken.ticket;
  if (ticket.tied && !lifeline_tie_image(ticket.tie_fd, ticket.parent_pid)) _exit(kCouldNotBegin);
  if (!take_over()) _exit(kCouldNotBegin);
}

}  // namespace

std::string ticket_text(const StartTicket& ticket) {
  char text[256];
  snprintf(text, sizeof text, "%s=1,%d,%llx,%llx,%d,%d,%d,%d,%x,%x,%llx", variable,
           ticket.memory_fd, static_cast<unsigned long long>(ticket.base),
           static_cast<unsigned long long>(ticket.size), ticket.tied ? 1 : 0, ticket.tie_fd,
           ticket.key_fd, ticket.parent_pid, ticket.starter.word, ticket.record.word,
           static_cast<unsigned long long>(ticket.message));
  return text;
}

bool ticket_parse(const char* text, StartTicket& out_ticket) {
  unsigned version = 0;
  int tied = 0;
  unsigned long long base = 0;
  unsigned long long size = 0;
  unsigned long long message = 0;
  StartTicket ticket;
  if (sscanf(text, "%u,%d,%llx,%llx,%d,%d,%d,%d,%x,%x,%llx", &version, &ticket.memory_fd, &base,
             &size, &tied, &ticket.tie_fd, &ticket.key_fd, &ticket.parent_pid, &ticket.starter.word,
             &ticket.record.word, &message) != 11 ||
      version != 1) {
    return false;
  }
  ticket.base = base;
  ticket.size = size;
  ticket.tied = tied != 0;
  ticket.message = message;
  out_ticket = ticket;
  return true;
}

Result<void> takeover_possible() {
  if (!loaded_with_program(reinterpret_cast<const void*>(at_load))) {
    return failure(MPC_EFUNCTION,
                   "the program loaded libmpc while it ran, so that a fresh image of it would not "
                   "have it; link the program with libmpc, or put the function in a shared library "
                   "or start a program that joins the group");
  }
  if (program_slot_of(kEntry) == nullptr) {
    return failure(MPC_EFUNCTION,
                   "the program does not call the C library through a table, so that a fresh image "
                   "of it cannot be taken over; link it dynamically, or put the function in a "
                   "shared library");
  }
  return {};
}

}  // namespace mpc
