// SPDX-License-Identifier: Apache-2.0
// Hosts whose file gives them another user, another group or a capability: the kernel runs images
// of it in secure mode, where the library is told nothing by its environment.
#include <dlfcn.h>
#include <errno.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>

#include <filesystem>

#include "hosts/host.hpp"

namespace mpc::test {
namespace {

constexpr id_t kUser = 65534;
constexpr id_t kOwner = 54321;

int returns_nine(const void*, size_t, const mpc_ref*, size_t) { return 9; }

// Why a start is refused.
std::string refusal(mpc_start_method method) {
  mpc_process_options options = MPC_PROCESS_OPTIONS_INIT;
  options.start_method = method;
  mpc_process* process;
  MUST(mpc_process_create(returns_nine, &options, &process) == MPC_OK);
  MUST(KEEPS_ERRNO(mpc_process_start(process)) == MPC_ENOTSUP);
  std::string message = last_message();
  MUST(mpc_process_destroy(process) == MPC_OK);
  return message;
}

void fresh_images_must_be_refused(const char* way_out) {
  for (mpc_start_method method : {MPC_START_SPAWN, MPC_START_FORKSERVER}) {
    std::string message = refusal(method);
    MUST(message.find("use fork") != std::string::npos);
    MUST(message.find(way_out) != std::string::npos);
  }
}

void forks_and_programs_must_work() {
  mpc_process_options options = MPC_PROCESS_OPTIONS_INIT;
  options.start_method = MPC_START_FORK;
  MUST(ended(started(returns_nine, options)) == 9);
  mpc_pool* pool = pool_of(2, MPC_START_FORK);
  map_numbers(pool);
  lose_a_worker(pool);
  end_pool(pool);
  const char* arguments[] = {"-c", "exit 3", nullptr};
  options = MPC_PROCESS_OPTIONS_INIT;
  options.program = "/bin/sh";
  options.arguments = arguments;
  MUST(ended(started(nullptr, options)) == 3);
}

MPC_PROGRAM(host_of_a_set_id_file) {
  Host host;
  MUST(getauxval(AT_SECURE) != 0);
  fresh_images_must_be_refused("setresuid() and setresgid()");
  forks_and_programs_must_work();
  // The way out that was named.
  gid_t group = getegid();
  uid_t user = geteuid();
  MUST(setresgid(group, group, group) == 0 && setresuid(user, user, user) == 0);
  host.use_group();
  return 0;
}

// A library is loaded by mpc-worker, whose file gives no rights to anybody.
int runs_a_function_of_a_library(mpc_start_method method) {
  void* library = dlopen(MPC_TEST_LATE_LIBRARY, RTLD_NOW);
  MUST(library != nullptr);
  auto function = reinterpret_cast<mpc_process_fn>(dlsym(library, "late_process"));
  mpc_process_options options = MPC_PROCESS_OPTIONS_INIT;
  options.start_method = method;
  return ended(started(function, options));
}

MPC_PROGRAM(host_of_a_set_id_file_that_gives_its_rights_up) {
  Host host;
  gid_t group = getgid();
  uid_t user = getuid();
  MUST(setresgid(group, group, group) == 0 && setresuid(user, user, user) == 0);
  fresh_images_must_be_refused("shared library");
  forks_and_programs_must_work();
  MUST(runs_a_function_of_a_library(MPC_START_SPAWN) == 1);
  MUST(runs_a_function_of_a_library(MPC_START_FORKSERVER) == 1);
  return 0;
}

// Started by the file's owner it has no more rights than that one, until it becomes another user.
MPC_PROGRAM(host_that_leaves_the_owner_of_its_file) {
  Host host;
  MUST(getauxval(AT_SECURE) == 0);
  host.use_group();
  MUST(setgroups(0, nullptr) == 0);
  MUST(setresgid(kUser, kUser, kUser) == 0 && setresuid(kUser, kUser, kUser) == 0);
  fresh_images_must_be_refused("shared library");
  forks_and_programs_must_work();
  return 0;
}

MPC_PROGRAM(host_of_a_file_with_a_capability) {
  Host host;
  MUST(getauxval(AT_SECURE) != 0);
  fresh_images_must_be_refused("shared library");
  forks_and_programs_must_work();
  MUST(runs_a_function_of_a_library(MPC_START_SPAWN) == 1);
  return 0;
}

// What the file would give, nobody who has given such gifts up is given.
MPC_PROGRAM(host_that_gets_no_new_privileges) {
  Host host;
  MUST(getauxval(AT_SECURE) == 0);
  host.use_group();
  return 0;
}

// One whose main() runs though it is a set-id file: as a program. It is told why it is no member.
MPC_PROGRAM(set_id_program) {
  MUST(getauxval(AT_SECURE) != 0);
  MUST(mpc_program_begin(nullptr, nullptr, nullptr, nullptr) == MPC_ESTATE);
  MUST(last_message().find("setuid") != std::string::npos);
  forks_and_programs_must_work();
  return 5;
}

MPC_PROGRAM(host_that_starts_a_set_id_program) {
  for (uint8_t detach : {0, 1}) {
    const char* words[] = {"--run-program", "set_id_program", nullptr};
    mpc_process_options options = MPC_PROCESS_OPTIONS_INIT;
    options.program = arguments.at(0).c_str();
    options.arguments = words;
    options.detach = detach;
    MUST(ended(started(nullptr, options)) == 5);
  }
  return 0;
}

// As a starter's that could not foresee the secure mode, or somebody who is up to something.
MPC_PROGRAM(host_with_a_ticket_for_a_set_id_file) {
  const char* file = arguments.at(0).c_str();
  MUST(setenv("LIBMPC_START", arguments.at(1).c_str(), 1) == 0);
  execl(file, file, "--run-program", "must_not_run", nullptr);
  return kMustFailed;
}
MPC_PROGRAM(must_not_run) {
  printf("it runs");
  return 0;
}

// The last of the programs here: it becomes the user, and the host's file.
MPC_PROGRAM(becomes_the_host) {
  MUST(setgroups(0, nullptr) == 0);
  if (arguments.at(2) == "without new privileges") {
    MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
  }
  auto user = static_cast<id_t>(std::stoul(arguments.at(3)));
  MUST(setresgid(user, user, user) == 0 && setresuid(user, user, user) == 0);
  const char* file = arguments.at(0).c_str();
  execl(file, file, "--run-program", arguments.at(1).c_str(), nullptr);
  return kMustFailed;
}

// A copy of this program where everybody finds it.
class SecureHostTest : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "only root can make a file another user's";
    struct statvfs there;
    if (statvfs("/tmp", &there) != 0 || (there.f_flag & ST_NOSUID) != 0) {
      GTEST_SKIP() << "/tmp is mounted nosuid";
    }
    ASSERT_NE(mkdtemp(folder_.data()), nullptr);
    ASSERT_EQ(chmod(folder_.c_str(), 0755), 0);
    file_ = folder_ + "/host";
    std::filesystem::copy_file("/proc/self/exe", file_);
  }
  void TearDown() override {
    if (!file_.empty()) std::filesystem::remove_all(folder_);
  }

  void give(id_t owner, mode_t mode) {
    ASSERT_EQ(chown(file_.c_str(), owner, owner), 0);
    ASSERT_EQ(chmod(file_.c_str(), mode), 0);
  }
  void expect_works_of(id_t user, const char* program, const char* how = "") {
    expect_works("becomes_the_host", {file_, program, how, std::to_string(user)});
  }

  std::string folder_ = "/tmp/mpc-hosts-XXXXXX";
  std::string file_;
};

TEST_F(SecureHostTest, ItIsSetuid) {
  give(kOwner, 04755);
  expect_works_of(kUser, "host_of_a_set_id_file");
}

TEST_F(SecureHostTest, ItIsSetgid) {
  give(kOwner, 02755);
  expect_works_of(kUser, "host_of_a_set_id_file");
}

TEST_F(SecureHostTest, ItIsSetuidAndStartedByRoot) {
  give(kOwner, 04755);
  expect_works_of(0, "host_of_a_set_id_file");
}

TEST_F(SecureHostTest, ItIsSetuidAndGivesItsRightsUp) {
  give(kOwner, 06755);
  expect_works_of(kUser, "host_of_a_set_id_file_that_gives_its_rights_up");
}

TEST_F(SecureHostTest, ItIsSetuidRootAndStartedByRootWhoBecomesAnotherUser) {
  give(0, 04755);
  expect_works_of(0, "host_that_leaves_the_owner_of_its_file");
}

TEST_F(SecureHostTest, AProgramThatIsSetuidRunsAndIsNoMember) {
  give(kOwner, 04755);
  expect_works("host_that_starts_a_set_id_program", {file_});
}

TEST_F(SecureHostTest, TheMainOfAFreshImageInSecureModeDoesNotRun) {
  give(kOwner, 04755);
  const char* child = "2,0,0,3,0,0,0,0,0,-1,-1,1,0,0,0";
  Ended image = run_program("host_with_a_ticket_for_a_set_id_file", {file_, child});
  EXPECT_EQ(image, 255);
  EXPECT_EQ(image.output, "");
}

TEST_F(SecureHostTest, WhatElseIsInItsEnvironmentDoesNotKeepASetuidProgramFromRunning) {
  give(kOwner, 04755);
  for (const char* text : {"2,1,0,3,0,0,0,0,0,-1,-1,1,0,0,0", "stale", ""}) {
    EXPECT_EQ(run_program("host_with_a_ticket_for_a_set_id_file", {file_, text}).output, "it runs");
  }
}

TEST_F(SecureHostTest, ItIsSetuidWhereTheKernelGivesNoNewPrivileges) {
  give(kOwner, 06755);
  expect_works_of(kUser, "host_that_gets_no_new_privileges", "without new privileges");
}

TEST_F(SecureHostTest, ItsFileHasACapability) {
  give(0, 0755);
  vfs_cap_data rights{};
  rights.magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE;
  rights.data[0].permitted = 1u << CAP_NET_RAW;
  if (setxattr(file_.c_str(), "security.capability", &rights, sizeof rights, 0) != 0) {
    GTEST_SKIP() << "files in /tmp take no capabilities";
  }
  expect_works_of(kUser, "host_of_a_file_with_a_capability");
}

}  // namespace
}  // namespace mpc::test
