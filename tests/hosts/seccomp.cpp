// SPDX-License-Identifier: Apache-2.0
#include "hosts/seccomp.hpp"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

namespace mpc::test {
namespace {

constexpr unsigned kNumber = offsetof(seccomp_data, nr);
// The lower half of the first argument, on the little-endian processors that the library knows.
constexpr unsigned kFirstArgument = offsetof(seccomp_data, args);

sock_filter load(unsigned offset) { return BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset); }
sock_filter answer(unsigned action) { return BPF_STMT(BPF_RET | BPF_K, action); }
unsigned refuse_with(int error) {
  return SECCOMP_RET_ERRNO | (static_cast<unsigned>(error) & SECCOMP_RET_DATA);
}

bool install(std::vector<sock_filter>& filter) {
  sock_fprog program{static_cast<unsigned short>(filter.size()), filter.data()};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

}  // namespace

bool deny_system_calls(const std::vector<long>& numbers, int error) {
  std::vector<sock_filter> filter = {load(kNumber)};
  for (long number : numbers) {
    filter.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<unsigned>(number), 0, 1));
    filter.push_back(answer(refuse_with(error)));
  }
  filter.push_back(answer(SECCOMP_RET_ALLOW));
  return install(filter);
}

bool deny_namespaces() {
  constexpr unsigned kNamespaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
                                   CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
  std::vector<sock_filter> filter = {
      load(kNumber),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 3),
      load(kFirstArgument),
      BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, kNamespaces, 0, 1),
      answer(refuse_with(EPERM)),
      answer(SECCOMP_RET_ALLOW),
  };
  return install(filter);
}

}  // namespace mpc::test
