// SPDX-License-Identifier: Apache-2.0
// A child has the rights that its creator has at the start, whoever else has had a server made.
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>

#include <mpc/mpc.h>

#include "capi/forkserver_test.hpp"

namespace mpc::test {
namespace {

constexpr uid_t kNobody = 65534;

struct Rights {
  int32_t server = 0;
  uid_t uids[3] = {};
  gid_t gids[3] = {};
  int groups = -1;
  gid_t group = 0;
  int no_new_privs = -1;
  uint64_t effective = 0;
  uint64_t inode_of_root = 0;
};

uint64_t effective_capabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> halves{};
  MUST(syscall(SYS_capget, &header, halves.data()) == 0);
  return uint64_t{halves[1].effective} << 32 | halves[0].effective;
}

int note_rights(const void* argument, size_t, const mpc_ref*, size_t) {
  auto* rights = argument_as<Rights*>(argument);
  rights->server = getppid();
  MUST(getresuid(&rights->uids[0], &rights->uids[1], &rights->uids[2]) == 0);
  MUST(getresgid(&rights->gids[0], &rights->gids[1], &rights->gids[2]) == 0);
  gid_t groups[64];
  rights->groups = getgroups(64, groups);
  if (rights->groups > 0) rights->group = groups[0];
  rights->no_new_privs = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
  rights->effective = effective_capabilities();
  return 0;
}

Rights rights_of_a_start() {
  auto* page = group_page<Rights>();
  MUST(finished(started(note_rights, page)) == 0);
  Rights rights = *page;
  MUST(mpc_group_free(page) == MPC_OK);
  return rights;
}

MPC_PROGRAM(changes_its_user) {
  Rights before = rights_of_a_start();
  MUST(setresuid(kNobody, kNobody, 0) == 0);
  Rights meanwhile = rights_of_a_start();
  MUST(meanwhile.uids[0] == kNobody && meanwhile.uids[1] == kNobody);
  MUST(meanwhile.server != before.server);
  MUST(rights_of_a_start().server == meanwhile.server);
  MUST(setresuid(0, 0, 0) == 0);
  Rights after = rights_of_a_start();
  MUST(after.uids[1] == 0 && after.server != meanwhile.server);
  return 0;
}

MPC_PROGRAM(changes_its_group) {
  Rights before = rights_of_a_start();
  MUST(setresgid(12345, 12345, 0) == 0);
  Rights after = rights_of_a_start();
  MUST(after.gids[1] == 12345 && after.server != before.server);
  return 0;
}

MPC_PROGRAM(changes_its_further_groups) {
  Rights before = rights_of_a_start();
  gid_t only = 54321;
  MUST(setgroups(1, &only) == 0);
  Rights after = rights_of_a_start();
  MUST(after.groups == 1 && after.group == only && after.server != before.server);
  MUST(rights_of_a_start().server == after.server);
  return 0;
}

// A user that is not root: what it has it keeps over the exec of a server only as ambient.
MPC_PROGRAM(gives_up_its_capabilities) {
  MUST(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0);
  MUST(setresuid(kNobody, kNobody, kNobody) == 0);
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> halves{};
  halves[0].effective = halves[0].permitted = halves[0].inheritable = 1u << CAP_NET_RAW;
  MUST(syscall(SYS_capset, &header, halves.data()) == 0);
  MUST(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_RAW, 0, 0) == 0);
  Rights before = rights_of_a_start();
  MUST(before.effective == uint64_t{1} << CAP_NET_RAW);
  halves[0].effective = halves[0].permitted = halves[0].inheritable = 0;
  MUST(syscall(SYS_capset, &header, halves.data()) == 0);
  Rights after = rights_of_a_start();
  MUST(after.effective == 0 && after.server != before.server);
  return 0;
}

MPC_PROGRAM(changes_its_root) {
  Rights before = rights_of_a_start();
  MUST(unshare(CLONE_NEWNS) == 0);
  Rights after = rights_of_a_start();
  MUST(after.server != before.server);
  MUST(rights_of_a_start().server == after.server);
  return 0;
}

class ForkServerRightsTest : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(All, ForkServerRightsTest,
                         testing::Values("changes_its_user", "changes_its_group",
                                         "changes_its_further_groups", "gives_up_its_capabilities",
                                         "changes_its_root"),
                         [](const auto& info) { return std::string(info.param); });

TEST_P(ForkServerRightsTest, M13AServerWhoseRightsAreOthersIsNotAsked) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can change them";
  EXPECT_EQ(run_program(GetParam()), 0);
}

// In a fresh image whose effective user is not the real one the kernel has the library told
// nothing, and the program's own main would run.
MPC_PROGRAM(has_an_effective_user_of_its_own) {
  (void)rights_of_a_start();
  for (int change_group : {0, 1}) {
    MUST((change_group != 0 ? setegid(12345) : seteuid(kNobody)) == 0);
    for (mpc_start_method method : {MPC_START_SPAWN, MPC_START_FORKSERVER}) {
      mpc_process_options options = MPC_PROCESS_OPTIONS_INIT;
      options.start_method = method;
      mpc_process* process;
      MUST(mpc_process_create(nullptr, &options, &process) == MPC_OK);
      MUST(mpc_process_start(process) == MPC_ENOTSUP);
      MUST(last_message().find("setresuid") != std::string::npos);
      MUST(mpc_process_destroy(process) == MPC_OK);
    }
    MUST(finished(started(note_rights, group_page<Rights>(), MPC_START_FORK)) == 0);
    MUST(seteuid(0) == 0 && setegid(0) == 0);
  }
  (void)rights_of_a_start();
  return 0;
}

TEST(SecureImageTest, M12AFreshImageThatWouldRunInSecureModeIsRefused) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can change its user";
  EXPECT_EQ(run_program("has_an_effective_user_of_its_own"), 0);
}

// --- a child that has fewer rights than its parent
// -------------------------------------------------

struct Confined {
  Rights rights;
  int32_t again = 0;
};

int start_confined(const void* argument, size_t, const mpc_ref*, size_t) {
  auto* confined = argument_as<Confined*>(argument);
  MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
  confined->rights = rights_of_a_start();
  confined->again = rights_of_a_start().server;
  return 0;
}

TEST_P(ForkServerTest, M13AChildThatConfinedItselfDoesNotGetOutByTheServerOfItsTree) {
  GroupPage<Confined> confined;
  pid_t ours = server();
  EXPECT_EQ(exit_code_of(start(start_confined, confined.get())), 0);
  EXPECT_EQ(confined->rights.no_new_privs, 1);
  EXPECT_NE(confined->rights.server, ours);
  EXPECT_EQ(confined->again, confined->rights.server);
  EXPECT_EQ(server(), ours) << "which is asked as before";
  // It is the tree's, and would be there for the rest of it.
  kill(confined->rights.server, SIGKILL);
  EXPECT_TRUE(ends_within(confined->rights.server, kLongEnough));
}

}  // namespace
}  // namespace mpc::test
