// SPDX-License-Identifier: Apache-2.0
// What a function is called in a message to a process with another image: its address means nothing
// there, and need not be the same from one run to the next.
#ifndef MPC_PROCESS_FUNCTION_NAME_HPP
#define MPC_PROCESS_FUNCTION_NAME_HPP

#include <cstdint>
#include <string>

#include "base/result.hpp"

namespace mpc {

// The build id makes a file that changed since an error: at the same offset stands other code now.
struct FunctionName {
  std::string object;    // path of the file that has it
  std::string build_id;  // of that file, in raw bytes; empty: the registered name is all there is
  uint64_t offset = 0;   // from where the file is loaded
  bool in_program = false;  // the file is the program, which cannot be loaded as a library is
  std::string registered;   // not empty: looked for first, and then the file
};

// Fails with MPC_EFUNCTION for what another image cannot have; the message names the way out.
Result<FunctionName> function_name_of(const void* function);

// The function that has this name in this process. Loads the file where it is not loaded yet, which
// runs its constructors, and keeps it loaded. Fails with MPC_EFUNCTION.
Result<const void*> function_found(const FunctionName& name);

// As above, but loads nothing: null where the function is in no file that is loaded.
const void* function_found_loaded(const FunctionName& name);

}  // namespace mpc

#endif
