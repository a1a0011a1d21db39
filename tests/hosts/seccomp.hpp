// SPDX-License-Identifier: Apache-2.0
// Filters on system calls, as sandboxes set them.
#ifndef MPC_TESTS_HOSTS_SECCOMP_HPP
#define MPC_TESTS_HOSTS_SECCOMP_HPP

#include <vector>

namespace mpc::test {

// Answers `error` to these system calls of this process and its children from now on. False where
// the kernel takes no filters.
bool deny_system_calls(const std::vector<long>& numbers, int error);

// Answers EPERM to a clone() that asks for a namespace.
bool deny_namespaces();

}  // namespace mpc::test

#endif
