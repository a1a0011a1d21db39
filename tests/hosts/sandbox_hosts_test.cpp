// SPDX-License-Identifier: Apache-2.0
// Hosts in a container or sandbox: without /proc, as process 1, with system calls denied.
#include <errno.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>

#include "hosts/gate.hpp"
#include "hosts/host.hpp"
#include "hosts/seccomp.hpp"
#include "support/start_method_test.hpp"

namespace mpc::test {
namespace {

void enter_namespaces(int kinds) {
  if (unshare(kinds) != 0) not_here("no right to make a namespace (unshare)");
  if ((kinds & CLONE_NEWNS) != 0 &&
      mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    not_here("no right to change mounts");
  }
}

MPC_PROGRAM(host_without_proc) {
  Host host;
  enter_namespaces(CLONE_NEWNS);
  MUST(umount2("/proc", MNT_DETACH) == 0);
  MUST(access("/proc/self", F_OK) != 0);
  return host.use_library();
}
TEST(SandboxHostTest, ProcIsNotMounted) { expect_works("host_without_proc"); }

// Runs `body` as the first process of a namespace of its own.
template <class Body>
int as_process_1(Body body) {
  enter_namespaces(CLONE_NEWNS | CLONE_NEWPID);
  pid_t child = fork_and([&] {
    MUST(getpid() == 1);
    return body();
  });
  MUST(child > 0);
  return wait_for(child);
}

MPC_PROGRAM(host_that_is_process_1) {
  return as_process_1([] {
    MUST(umount2("/proc", MNT_DETACH) == 0);
    if (mount("proc", "/proc", "proc", 0, nullptr) != 0) not_here("no right to mount /proc");
    return Host().use_library();
  });
}
TEST(SandboxHostTest, ItIsProcess1OfItsNamespace) { expect_works("host_that_is_process_1"); }

int leaves_a_thread_at_the_gate(const void* argument, size_t, const mpc_ref*, size_t) {
  pthread_t thread;
  MUST(pthread_create(
           &thread, nullptr,
           [](void* gate) -> void* {
             waits_at_the_gate(&gate, sizeof gate, nullptr, 0);
             return nullptr;
           },
           argument_as<Gate*>(argument)) == 0);
  printf("said before the end;");
  pthread_exit(nullptr);
}

// There a child cannot tell whether it has other threads.
MPC_PROGRAM(host_without_proc_whose_child_leaves_a_thread) {
  enter_namespaces(CLONE_NEWNS);
  MUST(umount2("/proc", MNT_DETACH) == 0);
  GroupPage<Gate> gate;
  Gate* address = gate.get();
  for (mpc_start_method method : start_methods()) {
    gate->inside.set(0);
    gate->open.set(0);
    mpc_process_options options = MPC_PROCESS_OPTIONS_INIT;
    options.start_method = method;
    options.argument = &address;
    options.argument_size = sizeof address;
    options.standard_output.kind = MPC_STDIO_PIPE;
    mpc_process* process = started(leaves_a_thread_at_the_gate, options);
    int fd = -1;
    char text[64] = "";
    MUST(mpc_process_pipe(process, 1, &fd) == MPC_OK);
    MUST(gate->inside.reaches(1));
    MUST(mpc_process_join(process, kLongerThanAnyTick) == MPC_ETIMEDOUT);
    MUST(read(fd, text, sizeof text) == static_cast<ssize_t>(strlen("said before the end;")));
    gate->open.set(1);
    MUST(ended(process) == 0);
    close(fd);
  }
  return 0;
}
TEST(SandboxHostTest, P17AChildThatCallsPthreadExitLivesUntilItsLastThreadHasEndedWithoutProcToo) {
  expect_works("host_without_proc_whose_child_leaves_a_thread");
}

class SandboxedStartTest : public HostTest {};
MPC_UNDER_EVERY_START_METHOD(SandboxedStartTest);

// There /proc/N is another process than N; here one that can be looked at, and that has no group.
MPC_PROGRAM(host_with_the_proc_of_another_namespace) {
  pid_t outside = getpid();
  return as_process_1([&] {
    Host host;
    // The first start makes a thread besides, which would get the number.
    MUST(ended(started(nullptr)) == 0);
    Gate* gate = in_group<Gate>();
    if (!write_file("/proc/sys/kernel/ns_last_pid", std::to_string(outside - 1))) {
      not_here("no right to choose process ids (kernel.ns_last_pid)");
    }
    mpc_process* process = started_with(waits_at_the_gate, gate);
    int32_t pid = 0;
    MUST(mpc_process_pid(process, &pid) == MPC_OK && pid == outside);
    MUST(gate->inside.reaches(1));
    uint32_t swept = 1;
    MUST(KEEPS_ERRNO(mpc_group_sweep(&swept)) == MPC_OK);
    MUST(swept == 0);
    MUST(participants_now() == 2);
    gate->open.set(1);
    MUST(ended(process) == kThroughTheGate);
    MUST(mpc_group_leave() == MPC_OK);
    return host.use_library();
  });
}
TEST_P(SandboxedStartTest, ProcShowsTheProcessesOfAnotherNamespace) {
  expect_works("host_with_the_proc_of_another_namespace");
}

// What Docker's default profile denies to a container without privileges.
MPC_PROGRAM(host_in_a_container) {
  Host host;
  bool denied = deny_namespaces() &&
                deny_system_calls({SYS_acct,
                                   SYS_add_key,
                                   SYS_bpf,
                                   SYS_clock_adjtime,
                                   SYS_clock_settime,
                                   SYS_delete_module,
                                   SYS_fanotify_init,
                                   SYS_finit_module,
                                   SYS_fsconfig,
                                   SYS_fsmount,
                                   SYS_fsopen,
                                   SYS_fspick,
                                   SYS_get_mempolicy,
                                   SYS_init_module,
                                   SYS_io_uring_enter,
                                   SYS_io_uring_register,
                                   SYS_io_uring_setup,
                                   SYS_kcmp,
                                   SYS_kexec_load,
                                   SYS_keyctl,
                                   SYS_lookup_dcookie,
                                   SYS_mbind,
                                   SYS_migrate_pages,
                                   SYS_mount,
                                   SYS_move_mount,
                                   SYS_move_pages,
                                   SYS_name_to_handle_at,
                                   SYS_nfsservctl,
                                   SYS_open_by_handle_at,
                                   SYS_open_tree,
                                   SYS_perf_event_open,
                                   SYS_pidfd_getfd,
                                   SYS_pivot_root,
                                   SYS_process_vm_readv,
                                   SYS_process_vm_writev,
                                   SYS_ptrace,
                                   SYS_quotactl,
                                   SYS_reboot,
                                   SYS_request_key,
                                   SYS_set_mempolicy,
                                   SYS_setdomainname,
                                   SYS_sethostname,
                                   SYS_setns,
                                   SYS_settimeofday,
                                   SYS_swapoff,
                                   SYS_swapon,
                                   SYS_syslog,
                                   SYS_umount2,
                                   SYS_unshare,
                                   SYS_userfaultfd,
                                   SYS_vhangup},
                                  EPERM) &&
                deny_system_calls({SYS_clone3}, ENOSYS);
  if (!denied) not_here("the kernel takes no seccomp filter");
  MUST(unshare(CLONE_NEWNS) == -1 && errno == EPERM);
  MUST(syscall(SYS_clone3, nullptr, 0) == -1 && errno == ENOSYS);
  return host.use_library();
}
TEST(SandboxHostTest, AContainersProfileDeniesSystemCalls) { expect_works("host_in_a_container"); }

// What is only there to be faster or more certain may be missing.
int use_without(const std::vector<long>& numbers, int error) {
  Host host(ExitCodes::kPerhapsLost);
  if (!deny_system_calls(numbers, error)) not_here("the kernel takes no seccomp filter");
  return host.use_library();
}

MPC_PROGRAM(host_without_pidfds) {
  return use_without({SYS_pidfd_open, SYS_pidfd_send_signal}, EPERM);
}
TEST(SandboxHostTest, PidfdsAreDenied) { expect_works("host_without_pidfds"); }

MPC_PROGRAM(host_with_a_profile_older_than_its_kernel) {
  // Profiles of before 2021 answer EPERM to every system call that they have not heard of.
  std::vector<long> unknown = {SYS_clone3, SYS_close_range, SYS_openat2, SYS_pidfd_getfd,
                               SYS_faccessat2};
  return use_without(unknown, EPERM);
}
TEST(SandboxHostTest, AnOldProfileDeniesNewSystemCalls) {
  expect_works("host_with_a_profile_older_than_its_kernel");
}

}  // namespace
}  // namespace mpc::test
