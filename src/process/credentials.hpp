// SPDX-License-Identifier: Apache-2.0
// What the kernel lets the calling thread do, as far as a fork server must have the same: a child
// has its creator's rights under every start method, neither more nor less.
//
// Compared are: user and group ids (real, effective and saved), supplementary groups, capabilities,
// whether rights can be gained (no_new_privs), whether a seccomp filter is on, the root folder and
// the mount namespace. All that is told by a few cheap system calls, because each start asks. Not
// compared, since asking costs as much as a third of a start: other namespaces, the control group,
// security labels, which filter it is. Who changes one of those starts by `fork` or `spawn`.
#ifndef MPC_PROCESS_CREDENTIALS_HPP
#define MPC_PROCESS_CREDENTIALS_HPP

#include <string>

namespace mpc {

// As bytes, to be compared and nothing else.
std::string credentials_now();

}  // namespace mpc

#endif
