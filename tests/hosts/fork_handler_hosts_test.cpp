// SPDX-License-Identifier: Apache-2.0
// Hosts that have something done at each fork, which was registered before they used the library.
#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "hosts/host.hpp"

namespace mpc::test {
namespace {

class ForkHandlerHostTest : public HostTest {};
MPC_UNDER_EVERY_START_METHOD(ForkHandlerHostTest);

int returns_seven(const void*, size_t, const mpc_ref*, size_t) { return 7; }

void fork_by_itself() {
  pid_t pid = fork();
  MUST(pid >= 0);
  if (pid == 0) _exit(7);
  int status;
  MUST(waitpid(pid, &status, 0) == pid);
  MUST(WIFEXITED(status) && WEXITSTATUS(status) == 7);
}

void call_library() {
  mpc_process* process;
  MUST(mpc_process_create(returns_seven, nullptr, &process) == MPC_OK);
  MUST(mpc_process_destroy(process) == MPC_OK);
}

MPC_PROGRAM(host_whose_fork_handlers_call_the_library) {
  MUST(pthread_atfork(call_library, call_library, nullptr) == 0);
  fork_by_itself();
  MUST(ended(started(returns_seven)) == 7);
  fork_by_itself();
  return 0;
}
TEST_P(ForkHandlerHostTest, TheHandlersCallTheLibrary) {
  expect_works("host_whose_fork_handlers_call_the_library");
}

MPC_PROGRAM(host_that_calls_the_library_after_its_own_fork) {
  MUST(pthread_atfork(nullptr, nullptr, call_library) == 0);
  call_library();
  fork_by_itself();
  return 0;
}
TEST_P(ForkHandlerHostTest, TheHandlerInTheChildCallsTheLibrary) {
  expect_works("host_that_calls_the_library_after_its_own_fork");
}

// Held by other threads while they call the library, and taken by the fork.
pthread_mutex_t of_host = PTHREAD_MUTEX_INITIALIZER;
std::atomic<bool> watched{false};
Count calls;
Count forks;

// The fork comes in between when another thread has the mutex and is about to call.
void take_mutex() {
  if (watched.exchange(false)) {
    forks.add();
    MUST(calls.reaches(1));
  }
  pthread_mutex_lock(&of_host);
}
void give_mutex_back() { pthread_mutex_unlock(&of_host); }

void call_library_with_mutex() {
  MUST(forks.reaches(1));
  pthread_mutex_lock(&of_host);
  call_library();
  pthread_mutex_unlock(&of_host);
  calls.add();
}

MPC_PROGRAM(host_whose_fork_takes_a_mutex) {
  MUST(pthread_atfork(take_mutex, give_mutex_back, give_mutex_back) == 0);
  MUST(ended(started(returns_seven)) == 7);
  watched = true;
  std::thread other(call_library_with_mutex);
  fork_by_itself();
  other.join();
  MUST(ended(started(returns_seven)) == 7);
  return 0;
}
TEST_P(ForkHandlerHostTest, AnotherThreadCallsTheLibraryWithTheMutexThatAForkTakes) {
  expect_works("host_whose_fork_takes_a_mutex");
}

}  // namespace
}  // namespace mpc::test
