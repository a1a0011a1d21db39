// SPDX-License-Identifier: Apache-2.0
// A whole environment as one text: NAME=VALUE and a NUL, again and again.
#ifndef MPC_PROCESS_ENVIRONMENT_HPP
#define MPC_PROCESS_ENVIRONMENT_HPP

#include <string>

namespace mpc {

// REQUIRES: no other thread changes it meanwhile, as for getenv().
std::string environment_text(const char* const* environment);

// Makes it this process's environment. REQUIRES: no other thread looks at it.
void environment_replace(const std::string& text);

}  // namespace mpc

#endif
