// SPDX-License-Identifier: Apache-2.0
// The start method `program`, as it is for any executable: what it begins with, how it ends, and
// what cannot be started.
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>

#include "program_test.hpp"

namespace mpc::test {
namespace {

TEST_F(ProgramStartTest, P08ItsExitCodeIsTold) {
  EXPECT_EQ(run("sh", {"-c", "exit 43"}).exit_code, 43);
  EXPECT_EQ(run("sh", {"-c", "kill -9 $$"}).exit_code, -SIGKILL);
  EXPECT_EQ(run(kJoining, {"exit_with_17"}).exit_code, 17);
}

TEST_F(ProgramStartTest, P11ATerminatedOneEndsBySigterm) {
  mpc_process* process = start("sleep", {"1000"});
  EXPECT_EQ(mpc_process_join(process, 0), MPC_ETIMEDOUT);
  EXPECT_EQ(mpc_process_terminate(process), MPC_OK);
  EXPECT_EQ(end_of(process), -SIGTERM);
}

TEST_F(ProgramStartTest, P12AKilledOneEndsBySigkill) {
  mpc_process* process = start("sleep", {"1000"});
  EXPECT_EQ(mpc_process_kill(process), MPC_OK);
  EXPECT_EQ(end_of(process), -SIGKILL);
}

TEST_F(ProgramStartTest, ItsTreeCanBeKilled) {
  mpc_process* process = start("sh", {"-c", "sleep 1000; true"});
  EXPECT_EQ(mpc_process_kill_tree(process), MPC_OK) << last_message();
  EXPECT_EQ(end_of(process), -SIGKILL);
}

TEST_F(ProgramStartTest, WhatItUsedIsTold) {
  mpc_process* process = start("true", {});
  mpc_process_usage usage = MPC_PROCESS_USAGE_INIT;
  EXPECT_EQ(exit_code_of(process), 0);
  EXPECT_EQ(mpc_process_usage_get(process, &usage), MPC_OK);
  EXPECT_EQ(usage.known, 1u);
  EXPECT_GT(usage.max_rss_bytes, 0u);
  EXPECT_EQ(mpc_process_destroy(process), MPC_OK);
}

TEST_F(ProgramStartTest, ARunningOneCanBeDetached) {
  for (const char* path : {"sleep", kJoining}) {
    mpc_process* process = start(path, {path == kJoining ? "wait_to_be_killed" : "1000"});
    EXPECT_EQ(mpc_process_detach(process), MPC_OK) << last_message();
    EXPECT_EQ(mpc_process_kill(process), MPC_OK);
    EXPECT_EQ(end_of(process), -SIGKILL);
  }
}

TEST_F(ProgramStartTest, ItsArgumentsArriveAsTheyAre) {
  EXPECT_EQ(run(kJoining, {"a b", "", "$HOME"}),
            (Said{0, "[" + std::string(kJoining) + "][a b][][$HOME]"}));
}

TEST_F(ProgramStartTest, BeginsWithDefaultHandlersAndAnEmptyInput) {
  ASSERT_NE(signal(SIGUSR1, [](int) {}), SIG_ERR);
  ASSERT_NE(signal(SIGINT, SIG_IGN), SIG_ERR);
  Said said = run("sh", {"-c", "cat; grep -c '^SigCgt:.*0$' /proc/self/status; kill -INT $$"});
  signal(SIGUSR1, SIG_DFL);
  signal(SIGINT, SIG_DFL);
  EXPECT_EQ(said, (Said{-SIGINT, "1\n"}));
}

TEST_F(ProgramStartTest, HasTheSignalMaskOfItsCreator) {
  sigset_t mask;
  sigset_t before;
  sigemptyset(&mask);
  sigaddset(&mask, SIGUSR2);
  pthread_sigmask(SIG_SETMASK, &mask, &before);
  Said said = run("grep", {"SigBlk", "/proc/self/status"});
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  EXPECT_EQ(said.text, "SigBlk:\t0000000000000800\n");
}

TEST_F(ProgramStartTest, OnlyTheLibrarysThreeDescriptorsAreOpenBesidesThoseGiven) {
  int fd = dup(STDOUT_FILENO);  // not closed by an exec
  int high = fcntl(fd, F_DUPFD, 300);
  Said said = run("sh", {"-c", "ls -C /proc/$$/fd; true"});
  close(high);
  close(fd);
  EXPECT_EQ(said.text, "0  1  2  3  4  5\n");
}

TEST_F(ProgramStartTest, TheOptionsHoldForAnyExecutable) {
  Folder folder;
  const char* environment[] = {"GREETING=hello", "LIBMPC_START=stale", nullptr};
  mpc_limit limit = {RLIMIT_CORE, 0, 0, 0};
  uint32_t cpu = 0;
  mpc_process_options options = MPC_PROCESS_OPTIONS_INIT;
  options.working_directory = folder.path().c_str();
  options.environment = environment;
  options.limits = &limit;
  options.limit_count = 1;
  options.nice = 3;
  options.cpus = &cpu;
  options.cpu_count = 1;
  options.process_group = MPC_PROCESS_GROUP_SESSION;
  Said said = run("sh",
                  {"-c",
                   "PATH=/usr/bin:/bin; pwd; echo $GREETING; ulimit -c; nice; "
                   "sed -n 's/Cpus_allowed_list:.//p' /proc/self/status; "
                   "test $(ps -o sid= -p $$) = $$ && echo leads"},
                  options);
  std::string nice = std::to_string(std::min(getpriority(PRIO_PROCESS, 0) + 3, 19));
  EXPECT_EQ(said, (Said{0, folder.path() + "\nhello\n0\n" + nice + "\n0\nleads\n"}));
}

TEST_F(ProgramStartTest, ARelativePathIsOfTheCreatorsFolder) {
  Folder folder;
  Folder another;
  std::string script = folder.file("script", "#!/bin/sh\nexec pwd\n");
  ASSERT_EQ(chmod(script.c_str(), 0755), 0);
  std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::current_path(folder.path());
  mpc_process_options options = MPC_PROCESS_OPTIONS_INIT;
  options.working_directory = another.path().c_str();
  Said said = run("./script", {}, options);
  std::filesystem::current_path(before);
  EXPECT_EQ(said, (Said{0, another.path() + "\n"}));
}

// --- one that cannot be started ------------------------------------------------------------------

TEST_F(ProgramStartTest, OneThatDoesNotExistIsAnErrorWithItsPath) {
  for (const char* path : {"/no/such/program", "no-such-program"}) {
    EXPECT_EQ(refused(make(path, {})), MPC_ESYSTEM);
    EXPECT_NE(last_message().find(path), std::string::npos) << last_message();
    EXPECT_NE(last_message().find("ENOENT"), std::string::npos) << last_message();
  }
}

TEST_F(ProgramStartTest, OneThatMayNotBeExecutedIsAnErrorWithItsPath) {
  Folder folder;
  std::string file = folder.file("data", "no program");
  EXPECT_EQ(refused(make(file.c_str(), {})), MPC_ESYSTEM);
  EXPECT_NE(last_message().find("EACCES"), std::string::npos) << last_message();
  EXPECT_EQ(refused(make(folder.path().c_str(), {})), MPC_ESYSTEM);
  EXPECT_NE(last_message().find(folder.path()), std::string::npos) << last_message();
}

TEST_F(ProgramStartTest, WhatTheKernelRefusesTheChildIsAnErrorOfTheStart) {
  uint32_t cpu = 65000;
  mpc_process_options options = MPC_PROCESS_OPTIONS_INIT;
  options.cpus = &cpu;
  options.cpu_count = 1;
  EXPECT_EQ(refused(make("true", {}, options)), MPC_ESYSTEM);
  EXPECT_NE(last_message().find("CPU"), std::string::npos) << last_message();
}

// --- what is asked for wrongly -------------------------------------------------------------------

mpc_status created(mpc_process_fn function, const mpc_process_options& options) {
  mpc_process* process = nullptr;
  mpc_status status = mpc_process_create(function, &options, &process);
  EXPECT_EQ(mpc_process_destroy(process), MPC_OK);
  return status;
}

TEST_F(ProgramStartTest, AProgramAndAFunctionExcludeEachOther) {
  mpc_process_options options = MPC_PROCESS_OPTIONS_INIT;
  options.program = "true";
  EXPECT_EQ(created(nullptr, options), MPC_OK);
  EXPECT_EQ(created(speak, options), MPC_EINVAL);
  options.start_method = MPC_START_PROGRAM;
  EXPECT_EQ(created(nullptr, options), MPC_OK);
  options.start_method = MPC_START_SPAWN;
  EXPECT_EQ(created(nullptr, options), MPC_EINVAL);
  EXPECT_NE(last_message().find("MPC_START_PROGRAM"), std::string::npos);
}

TEST_F(ProgramStartTest, TheMethodNeedsAProgram) {
  mpc_process_options options = MPC_PROCESS_OPTIONS_INIT;
  options.start_method = MPC_START_PROGRAM;
  EXPECT_EQ(created(nullptr, options), MPC_EINVAL);
  options.program = "";
  EXPECT_EQ(created(nullptr, options), MPC_EINVAL);
  const char* arguments[] = {"a", nullptr};
  options = MPC_PROCESS_OPTIONS_INIT;
  options.arguments = arguments;
  EXPECT_EQ(created(nullptr, options), MPC_EINVAL);
  mpc_pool_options pool_options = MPC_POOL_OPTIONS_INIT;
  pool_options.start_method = MPC_START_PROGRAM;
  mpc_pool* pool;
  EXPECT_EQ(mpc_pool_create(&pool_options, &pool), MPC_EINVAL);
}

TEST_F(ProgramStartTest, M08TheMethodIsNoDefault) {
  EXPECT_EQ(mpc_start_method_set(MPC_START_PROGRAM, 1), MPC_EINVAL);
  EXPECT_NE(last_message().find("program"), std::string::npos);
  EXPECT_STREQ(mpc_start_method_name(MPC_START_PROGRAM), "program");
}

}  // namespace
}  // namespace mpc::test
