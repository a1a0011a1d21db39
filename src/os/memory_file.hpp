// SPDX-License-Identifier: Apache-2.0
// A descriptor of a memory file that was closed here, from a process that has it open still.
#ifndef MPC_OS_MEMORY_FILE_HPP
#define MPC_OS_MEMORY_FILE_HPP

#include <cstdint>

#include "base/fd.hpp"

namespace mpc {

// Looks through the descriptor tables of all threads of a process: one of them may have a table of
// its own (os/lifeline.hpp). Empty where none has the file, or /proc does not let this process
// look.
Fd open_memory_file_of(int32_t pid, unsigned long device, unsigned long inode);

}  // namespace mpc

#endif
