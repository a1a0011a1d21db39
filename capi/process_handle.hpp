// SPDX-License-Identifier: Apache-2.0
// What is behind a handle on a process, and the calls on it.
#ifndef MPC_CAPI_PROCESS_HANDLE_HPP
#define MPC_CAPI_PROCESS_HANDLE_HPP

#include <memory>

#include "boundary.hpp"
#include "process/process.hpp"

namespace mpc {

// What a handle on a process holds: the process itself is also remembered among the children.
struct ProcessHandle {
  static constexpr HandleKind kHandleKind = HandleKind::kProcess;
  std::shared_ptr<Process> process;
  ~ProcessHandle() { process->drop_pipes(); }
};

// Runs `body(process)` on what is behind a handle; a forked child has joined before.
template <class Body>
mpc_status guarded_on_process(mpc_process* process, Body&& body) noexcept {
  return guarded([&]() -> Result<void> {
    if (Result<Group*> group = current_group(); !group) return group.error();
    Pinned<ProcessHandle> handle(process);
    if (!handle) return used_up<ProcessHandle>();
    return body(*handle->process);
  });
}

// Writes the answer of `ask(process)` to where the caller wants it.
template <class Out, class Ask>
mpc_status answer(mpc_process* process, Out* out, Ask&& ask) noexcept {
  return guarded_on_process(process, [&](Process& object) -> Result<void> {
    if (out == nullptr) return null_argument("the out_ parameter");
    auto told = ask(object);
    if (!told) return told.error();
    *out = static_cast<Out>(*told);
    return {};
  });
}

}  // namespace mpc

#endif
