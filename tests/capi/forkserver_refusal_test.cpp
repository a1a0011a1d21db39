// SPDX-License-Identifier: Apache-2.0
// Where the kernel lets a fork server, or who makes one, have no process more.
#include <dlfcn.h>
#include <errno.h>
#include <sys/resource.h>
#include <unistd.h>

#include <mpc/mpc.h>

#include "capi/forkserver_test.hpp"

namespace mpc::test {
namespace {

mpc_process* made(mpc_process_fn function, mpc_start_method method) {
  mpc_process_options options = MPC_PROCESS_OPTIONS_INIT;
  options.start_method = method;
  mpc_process* process;
  MUST(mpc_process_create(function, &options, &process) == MPC_OK);
  return process;
}

int return_nine(const void*, size_t, const mpc_ref*, size_t) { return 9; }

// Whether it was refused; where it was not it runs to its end.
bool is_refused(mpc_start_method method) {
  mpc_process* process = made(return_nine, method);
  mpc_status status = mpc_process_start(process);
  if (status == MPC_OK) {
    MUST(finished(process) == 9);
    return false;
  }
  MUST(status == MPC_ESYSTEM);
  std::string message = last_message();
  MUST(mpc_process_destroy(process) == MPC_OK);
  MUST(message.find("EAGAIN") != std::string::npos);
  MUST(message.find("ulimit -u") != std::string::npos);
  return true;
}

// --- the server's fork ---------------------------------------------------------------------------

// A limit of a server's that says that its next forks fail. No process here writes core files of
// such a size.
constexpr rlim_t kNoMemory = 54321;

bool has_no_memory() {
  rlimit core;
  return getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_cur == kNoMemory;
}

MPC_PROGRAM(has_a_server_that_lacks_memory_for_a_while) {
  pid_t server = server_of_a_start();
  rlimit before;
  MUST(prlimit(server, RLIMIT_CORE, nullptr, &before) == 0);
  rlimit none{kNoMemory, before.rlim_max};
  MUST(prlimit(server, RLIMIT_CORE, &none, nullptr) == 0);
  for (int i = 0; i < 3; ++i) {
    mpc_process* process = made(return_nine, MPC_START_FORKSERVER);
    MUST(mpc_process_start(process) == MPC_ESYSTEM);
    MUST(last_message().find("fork in the fork server") != std::string::npos);
    MUST(last_message().find("ENOMEM") != std::string::npos);
    // Not started, and it can be tried again.
    mpc_process_state state;
    MUST(mpc_process_state_get(process, &state) == MPC_OK && state == MPC_PROCESS_INITIAL);
    MUST(prlimit(server, RLIMIT_CORE, &before, nullptr) == 0);
    MUST(mpc_process_start(process) == MPC_OK);
    MUST(finished(process) == 9);
    MUST(server_of_a_start() == server);
    MUST(prlimit(server, RLIMIT_CORE, &none, nullptr) == 0);
  }
  return 0;
}

TEST(ForkServerRefusalTest, M13AServerWithoutMemoryForAForkSaysSoAndGoesOn) {
  EXPECT_EQ(run_program("has_a_server_that_lacks_memory_for_a_while"), 0);
}

MPC_PROGRAM(has_a_server_that_may_not_fork_for_a_while) {
  become_a_user_of_no_other_process();
  pid_t server = server_of_a_start();
  rlimit before;
  MUST(prlimit(server, RLIMIT_NPROC, nullptr, &before) == 0);
  rlimit none{1, before.rlim_max};
  MUST(prlimit(server, RLIMIT_NPROC, &none, nullptr) == 0);
  for (int i = 0; i < 3; ++i) MUST(is_refused(MPC_START_FORKSERVER));
  MUST(prlimit(server, RLIMIT_NPROC, &before, nullptr) == 0);
  MUST(!is_refused(MPC_START_FORKSERVER));
  MUST(server_of_a_start() == server);
  return 0;
}

TEST(ForkServerRefusalTest, M13AServerAtTheLimitOfProcessesSaysSoAndGoesOn) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can be a user with no other processes";
  EXPECT_EQ(run_program("has_a_server_that_may_not_fork_for_a_while"), 0);
}

// --- on the way to a child -----------------------------------------------------------------------

// Wherever the limit is met: at this process's thread, at the server's parent, at the server, at
// the child.
MPC_PROGRAM(may_have_ever_more_processes) {
  become_a_user_of_no_other_process();
  auto method = static_cast<mpc_start_method>(std::stoi(arguments.at(0)));
  rlimit both;
  MUST(getrlimit(RLIMIT_NPROC, &both) == 0);
  int refusals = 0;
  for (rlim_t processes = 1;; ++processes) {
    MUST(processes < 20);
    rlimit few{processes, both.rlim_max};
    MUST(setrlimit(RLIMIT_NPROC, &few) == 0);
    if (!is_refused(method)) break;
    ++refusals;
  }
  MUST(refusals > 0);
  return 0;
}

class ProcessLimitTest : public testing::TestWithParam<mpc_start_method> {};
MPC_UNDER_EVERY_START_METHOD(ProcessLimitTest);
TEST_P(ProcessLimitTest, AStartWorksOrSaysThatTheLimitIsReached) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can be a user with no other processes";
  EXPECT_EQ(run_program("may_have_ever_more_processes", {std::to_string(GetParam())}), 0);
}

}  // namespace
}  // namespace mpc::test

// The library's calls come by here, as those to any function of the C library that the program has
// too.
extern "C" pid_t fork() {
  static auto* real = reinterpret_cast<pid_t (*)()>(dlsym(RTLD_NEXT, "fork"));
  if (mpc::test::has_no_memory()) {
    errno = ENOMEM;
    return -1;
  }
  return real();
}
