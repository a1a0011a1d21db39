// SPDX-License-Identifier: Apache-2.0
// Whether a function of this process exists, at the same address, in a process forked earlier.
#ifndef MPC_PROCESS_FUNCTION_HPP
#define MPC_PROCESS_FUNCTION_HPP

#include <cstdint>
#include <utility>
#include <vector>

namespace mpc {

// The code that was loaded at one moment.
class LoadedCode {
 public:
  static LoadedCode now();

  // True if `function` lies in an object that was loaded then and has been since. False for code
  // that no object file holds (made by a JIT compiler, a closure of an FFI): such memory is used
  // again for other code, so that an earlier process may have something else at the address.
  bool had(const void* function) const;

 private:
  std::vector<std::pair<uintptr_t, uintptr_t>> ranges_;
  unsigned long long unloads_ = 0;
};

}  // namespace mpc

#endif
