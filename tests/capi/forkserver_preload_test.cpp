// SPDX-License-Identifier: Apache-2.0
// What a fork server loads and runs before it forks, and what becomes of a start where that fails.
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <thread>

#include <mpc/mpc.h>

#include "capi/forkserver_test.hpp"

namespace mpc::test {
namespace {

constexpr char kNoLibrary[] = "/nowhere/libnothing.so";

class PreloadTest : public ForkServerTest {
 protected:
  void TearDown() override {
    EXPECT_EQ(mpc_log_set(MPC_LOG_OFF, nullptr, nullptr), MPC_OK);
    EXPECT_EQ(mpc_forkserver_preload_set(nullptr), MPC_OK);
    // The server that is left is one as it was before the test.
    EXPECT_EQ(exit_code_of(start(nullptr)), 0);
    ForkServerTest::TearDown();
  }

  void preload(mpc_preload_fn init, mpc_preload_errors on_error, int64_t timeout_ns = 0) {
    mpc_preload_options options = MPC_PRELOAD_OPTIONS_INIT;
    options.init = init;
    options.on_error = on_error;
    options.timeout_ns = timeout_ns;
    ASSERT_EQ(mpc_forkserver_preload_set(&options), MPC_OK) << last_message();
  }
  void preload(const char* library, mpc_preload_errors on_error, mpc_preload_fn init = nullptr) {
    mpc_preload_options options = MPC_PRELOAD_OPTIONS_INIT;
    options.libraries = &library;
    options.library_count = 1;
    options.init = init;
    options.on_error = on_error;
    ASSERT_EQ(mpc_forkserver_preload_set(&options), MPC_OK) << last_message();
  }

  // Starts fail with the reason, twice: the second tries again.
  void expect_failing_starts(const std::string& reason) {
    for (int i = 0; i < 2; ++i) {
      mpc_process* process = make(nullptr, process_options());
      EXPECT_EQ(mpc_process_start(process), MPC_EFUNCTION);
      EXPECT_NE(last_message().find(reason), std::string::npos) << last_message();
    }
  }

  // What is logged from now on.
  std::string& logged() {
    auto keep = [](mpc_log_level, const char* line, void* lines) {
      *static_cast<std::string*>(lines) += std::string(line) + '\n';
    };
    EXPECT_EQ(mpc_log_set(MPC_LOG_WARNING, keep, &lines_), MPC_OK);
    return lines_;
  }

 private:
  std::string lines_;
};
INSTANTIATE_TEST_SUITE_P(AllStartMethods, PreloadTest, testing::Values(MPC_START_FORKSERVER),
                         start_method_label);

// --- what it is for ------------------------------------------------------------------------------

int prepared = 0;
int prepared_by = 0;
int prepare() {
  prepared = 41;
  prepared_by = getpid();
  return 0;
}

int count_up_prepared(const void*, size_t, const mpc_ref*, size_t) {
  return prepared_by == getppid() ? ++prepared : 1;
}

TEST_P(PreloadTest, M15ChildrenBeginWithWhatTheInitFunctionDidEachWithItsOwn) {
  preload(prepare, MPC_PRELOAD_FAIL);
  EXPECT_EQ(exit_code_of(start(count_up_prepared)), 42);
  EXPECT_EQ(exit_code_of(start(count_up_prepared)), 42) << "the other's change was its own";
  EXPECT_EQ(prepared, 0) << "it ran in the server alone";
}

int start_counter_up(const void*, size_t, const mpc_ref*, size_t) {
  return finished(started(count_up_prepared, 0));
}

TEST_P(PreloadTest, M15ChildrenOfChildrenHaveIt) {
  preload(prepare, MPC_PRELOAD_FAIL);
  EXPECT_EQ(exit_code_of(start(start_counter_up)), 42);
}

int start_counter_up_by_spawn(const void*, size_t, const mpc_ref*, size_t) {
  return finished(started(start_counter_up, 0, MPC_START_SPAWN));
}

TEST_P(PreloadTest, M15TheChoiceHoldsInFreshImages) {
  preload(prepare, MPC_PRELOAD_FAIL);
  EXPECT_EQ(exit_code_of(start(start_counter_up_by_spawn)), 42);
}

TEST_P(PreloadTest, M15AServerThatWasKilledDoesItAgain) {
  preload(prepare, MPC_PRELOAD_FAIL);
  pid_t first = server();
  ASSERT_EQ(kill(first, SIGKILL), 0);
  ASSERT_TRUE(ends_within(first, kLongEnough));
  EXPECT_EQ(exit_code_of(start(count_up_prepared)), 42);
}

int who_loaded(const void*, size_t, const mpc_ref*, size_t) {
  void* library = dlopen(MPC_TEST_PRELOAD_LIBRARY, RTLD_NOW | RTLD_NOLOAD);
  if (library == nullptr) return 1;
  auto loaded_by = reinterpret_cast<int (*)()>(dlsym(library, "preload_loaded_by"));
  return loaded_by() == getppid() ? 2 : 3;
}

TEST_P(PreloadTest, M15LibrariesAreLoadedInTheServer) {
  EXPECT_EQ(exit_code_of(start(who_loaded)), 1);
  preload(MPC_TEST_PRELOAD_LIBRARY, MPC_PRELOAD_FAIL);
  EXPECT_EQ(exit_code_of(start(who_loaded)), 2);
}

TEST_P(PreloadTest, M15AnotherChoiceReplacesTheServer) {
  pid_t first = server();
  preload(MPC_TEST_PRELOAD_LIBRARY, MPC_PRELOAD_FAIL);
  pid_t second = server();
  EXPECT_NE(second, first);
  EXPECT_TRUE(ends_within(first, kLongEnough));
  EXPECT_EQ(server(), second);
  ASSERT_EQ(mpc_forkserver_preload_set(nullptr), MPC_OK);
  EXPECT_EQ(exit_code_of(start(who_loaded)), 1);
}

// --- what cannot be ------------------------------------------------------------------------------

TEST_P(PreloadTest, M15RefusesWhatMakesNoSense) {
  mpc_preload_options options = MPC_PRELOAD_OPTIONS_INIT;
  const char* libraries[] = {MPC_TEST_PRELOAD_LIBRARY, nullptr};
  options.libraries = libraries;
  options.library_count = 2;
  EXPECT_EQ(mpc_forkserver_preload_set(&options), MPC_EINVAL);
  libraries[1] = "";
  EXPECT_EQ(mpc_forkserver_preload_set(&options), MPC_EINVAL);
  options.libraries = nullptr;
  EXPECT_EQ(mpc_forkserver_preload_set(&options), MPC_EINVAL);
  options.library_count = 0;
  options.on_error = 3;
  EXPECT_EQ(mpc_forkserver_preload_set(&options), MPC_EINVAL);
  options.on_error = MPC_PRELOAD_FAIL;
  options.init = reinterpret_cast<mpc_preload_fn>(&prepared);
  EXPECT_EQ(mpc_forkserver_preload_set(&options), MPC_EFUNCTION);
  options.init = nullptr;
  options.reserved = 1;
  EXPECT_EQ(mpc_forkserver_preload_set(&options), MPC_EINVAL);
  options.reserved = 0;
  options.struct_size = 8;
  EXPECT_EQ(mpc_forkserver_preload_set(&options), MPC_EINVAL);
  EXPECT_EQ(exit_code_of(start(who_loaded)), 1) << "nothing was chosen";
}

// --- it fails
// --------------------------------------------------------------------------------------

int return_three() { return 3; }
int exit_at_once() { exit(0); }
int crash() { abort(); }
int hang() {
  for (;;) pause();
}
void* wait_for_ever(void*) {
  for (;;) pause();
}
int leave_a_thread() {
  pthread_t thread;
  return pthread_create(&thread, nullptr, wait_for_ever, nullptr);
}
int change_rights() { return setgid(12345); }

TEST_P(PreloadTest, M15ALibraryThatThereIsNotFailsTheStartWhereThatIsAsked) {
  preload(kNoLibrary, MPC_PRELOAD_FAIL);
  expect_failing_starts(kNoLibrary);
}

TEST_P(PreloadTest, M15ALibraryThatThereIsNotIsIgnoredAndTheRestIsDone) {
  std::string& lines = logged();
  preload(kNoLibrary, MPC_PRELOAD_IGNORE, prepare);
  EXPECT_EQ(exit_code_of(start(count_up_prepared)), 42);
  EXPECT_EQ(lines, "");
}

TEST_P(PreloadTest, M15ALibraryThatThereIsNotIsWarnedOfOnceAndTheRestIsDone) {
  std::string& lines = logged();
  preload(kNoLibrary, MPC_PRELOAD_WARN, prepare);
  EXPECT_EQ(exit_code_of(start(count_up_prepared)), 42);
  EXPECT_EQ(exit_code_of(start(count_up_prepared)), 42);
  EXPECT_NE(lines.find(kNoLibrary), std::string::npos) << lines;
  EXPECT_EQ(lines.find('\n'), lines.size() - 1) << lines;
}

TEST_P(PreloadTest, M15ALibraryWhoseConstructorEndsTheServerFailsTheStart) {
  ASSERT_EQ(setenv("MPC_TEST_PRELOAD_EXITS", "1", 1), 0);
  preload(MPC_TEST_PRELOAD_LIBRARY, MPC_PRELOAD_FAIL);
  expect_failing_starts(MPC_TEST_PRELOAD_LIBRARY);
  ASSERT_EQ(unsetenv("MPC_TEST_PRELOAD_EXITS"), 0);
  EXPECT_EQ(exit_code_of(start(who_loaded)), 2) << "the next start tries again";
}

struct Failing {
  const char* name;
  mpc_preload_fn init;
  const char* reason;
  bool usable;  // the server is, though the function failed
};
const Failing kFailing[] = {
    {"returns", return_three, "returned 3", true},
    {"exits", exit_at_once, "ended while it was running", false},
    {"crashes", crash, "ended while it was running", false},
    {"hangs", hang, "not ready in time", false},
    {"leaves_a_thread", leave_a_thread, "1 threads running", false},
    {"changes_rights", change_rights, "rights", false},
};

TEST_P(PreloadTest, M15AnInitFunctionThatFailsFailsTheStartWhereThatIsAsked) {
  for (const Failing& each : kFailing) {
    if (each.init == change_rights && geteuid() != 0) continue;
    SCOPED_TRACE(each.name);
    preload(each.init, MPC_PRELOAD_FAIL, MPC_MILLISECONDS(500));
    expect_failing_starts(each.reason);
  }
}

TEST_P(PreloadTest, M15AnInitFunctionThatFailsIsWarnedOfAndCostsNoStart) {
  for (const Failing& each : kFailing) {
    if (each.init == change_rights && geteuid() != 0) continue;
    SCOPED_TRACE(each.name);
    std::string& lines = logged();
    lines.clear();
    preload(each.init, MPC_PRELOAD_WARN, MPC_MILLISECONDS(500));
    pid_t first = server();
    EXPECT_EQ(server(), first) << "which is kept";
    EXPECT_NE(lines.find(each.reason), std::string::npos) << lines;
    EXPECT_EQ(lines.find('\n'), lines.size() - 1) << lines;
  }
}

TEST_P(PreloadTest, M15AnInitFunctionThatFailsIsIgnored) {
  for (const Failing& each : kFailing) {
    if (each.init == change_rights && geteuid() != 0) continue;
    SCOPED_TRACE(each.name);
    std::string& lines = logged();
    lines.clear();
    preload(each.init, MPC_PRELOAD_IGNORE, MPC_MILLISECONDS(500));
    EXPECT_EQ(exit_code_of(start(nullptr)), 0);
    EXPECT_EQ(lines, "");
  }
}

int use_a_thread() {
  std::thread([] { prepared = 41; }).join();
  prepared_by = getpid();
  return 0;
}

TEST_P(PreloadTest, M15AThreadThatHasEndedDoesNoHarm) {
  preload(use_a_thread, MPC_PRELOAD_FAIL);
  EXPECT_EQ(exit_code_of(start(count_up_prepared)), 42);
}

// --- what it does not reach
// ------------------------------------------------------------------------

int start_something() {
  mpc_process* process = nullptr;
  mpc_pool* pool = nullptr;
  mpc_pool_options options = MPC_POOL_OPTIONS_INIT;
  bool refused = mpc_process_create(nullptr, nullptr, &process) == MPC_EBOOTSTRAP &&
                 mpc_pool_create(&options, &pool) == MPC_EBOOTSTRAP;
  return refused ? 0 : 1;
}

TEST_P(PreloadTest, M15TheInitFunctionIsToldThatItCanStartNothing) {
  preload(start_something, MPC_PRELOAD_FAIL);
  EXPECT_EQ(exit_code_of(start(nullptr)), 0) << last_message();
}

void heed(int) {}

int change_everything() {
  int pipe_ends[2];
  if (pipe(pipe_ends) != 0 || dup2(pipe_ends[1], 200) != 200) return 1;
  if (dup2(pipe_ends[0], STDIN_FILENO) != STDIN_FILENO) return 2;
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_BLOCK, &all, nullptr);
  signal(SIGUSR1, heed);
  signal(SIGUSR2, SIG_IGN);
  signal(SIGCHLD, SIG_IGN);
  umask(0777);
  itimerval soon{{0, 1000}, {0, 1000}};
  setitimer(ITIMER_REAL, &soon, nullptr);
  printf("not written yet");
  return chdir("/") == 0 && setenv("MPC_TEST_PRELOAD", "1", 1) == 0 ? 0 : 3;
}

int disposition_is(int signal, void (*handler)(int)) {
  struct sigaction action {};
  sigaction(signal, nullptr, &action);
  return action.sa_handler == handler ? 1 : 0;
}

int find_everything_as_it_was(const void* argument, size_t, const mpc_ref*, size_t) {
  if (fcntl(200, F_GETFD) >= 0) return 1;
  char byte;
  if (read(STDIN_FILENO, &byte, 1) != 0) return 2;
  sigset_t blocked;
  sigprocmask(SIG_BLOCK, nullptr, &blocked);
  for (int signal : {SIGUSR1, SIGTERM, SIGCHLD}) {
    if (sigismember(&blocked, signal) != 0) return 3;
  }
  if (disposition_is(SIGUSR1, SIG_DFL) == 0) return 4;
  if (disposition_is(SIGUSR2, SIG_DFL) == 0) return 5;
  if (disposition_is(SIGCHLD, SIG_DFL) == 0) return 6;
  if (umask(022) != argument_as<mode_t>(argument)) return 7;
  if (std::filesystem::current_path() == "/") return 8;
  if (getenv("MPC_TEST_PRELOAD") != nullptr) return 9;
  return 0;
}

TEST_P(PreloadTest, M15ChildrenHaveNothingButTheMemoryOfWhatItDid) {
  ASSERT_NE(std::filesystem::current_path(), "/");
  mode_t mask = umask(022);
  umask(mask);
  preload(change_everything, MPC_PRELOAD_FAIL);
  testing::internal::CaptureStdout();
  pid_t first = server();
  fflush(stdout);
  EXPECT_EQ(exit_code_of(start(find_everything_as_it_was, mask)), 0);
  EXPECT_EQ(exit_code_of(start(find_everything_as_it_was, mask)), 0);
  EXPECT_EQ(server(), first) << "no timer ended it";
  std::string output = testing::internal::GetCapturedStdout();
  EXPECT_EQ(output, "not written yet") << "once, by the server";
}

int return_in_a_copy_too() {
  prepare();
  pid_t copy = fork();
  if (copy == 0) return 0;
  prepared_by = getpid();
  return wait_for(copy);
}

TEST_P(PreloadTest, M15ACopyOfTheServerThatTheInitFunctionMadeIsNoServer) {
  preload(return_in_a_copy_too, MPC_PRELOAD_FAIL);
  EXPECT_EQ(exit_code_of(start(count_up_prepared)), 42) << last_message();
}

// --- whoever is killed over it
// ---------------------------------------------------------------------

// A child and its server cannot find each other but by what the server's function was told: it is
// the child's environment that the server begins with.
int hang_and_say_so() {
  const char* address = getenv("MPC_TEST_PRELOAD_PAGE");
  if (address == nullptr) return 1;
  auto* page = reinterpret_cast<ServerPage*>(strtoull(address, nullptr, 16));
  page->server = getpid();
  page->ready.add();
  return hang();
}

int start_with_a_hanging_preload(const void* argument, size_t, const mpc_ref*, size_t) {
  char address[32];
  snprintf(address, sizeof address, "%p", static_cast<void*>(argument_as<ServerPage*>(argument)));
  MUST(setenv("MPC_TEST_PRELOAD_PAGE", address, 1) == 0);
  mpc_preload_options options = MPC_PRELOAD_OPTIONS_INIT;
  options.init = hang_and_say_so;
  options.on_error = MPC_PRELOAD_FAIL;
  options.timeout_ns = MPC_FOREVER;
  MUST(mpc_forkserver_preload_set(&options) == MPC_OK);
  mpc_process_options process_options = MPC_PROCESS_OPTIONS_INIT;
  process_options.start_method = MPC_START_FORKSERVER;
  mpc_process* process;
  MUST(mpc_process_create(nullptr, &process_options, &process) == MPC_OK);
  MUST(mpc_process_start(process) == MPC_EFUNCTION);
  return 5;
}

TEST_P(PreloadTest, M15AServerThatIsKilledWhileItPreloadsIsNotWaitedFor) {
  GroupPage<ServerPage> page;
  mpc_process* process = start(start_with_a_hanging_preload, page.get());
  ASSERT_TRUE(page->ready.reaches(1));
  ASSERT_EQ(kill(page->server, SIGKILL), 0);
  EXPECT_EQ(exit_code_of(process), 5);
}

TEST_P(PreloadTest, M15AServerThatPreloadsEndsWithWhoHasItMade) {
  GroupPage<ServerPage> page;
  mpc_process* process = start(start_with_a_hanging_preload, page.get());
  ASSERT_TRUE(page->ready.reaches(1));
  ASSERT_EQ(mpc_process_kill(process), MPC_OK);
  EXPECT_EQ(exit_code_of(process), -SIGKILL);
  EXPECT_TRUE(ends_within(page->server, kLongEnough));
}

}  // namespace
}  // namespace mpc::test
