// SPDX-License-Identifier: Apache-2.0
// Hosts of which a thread is cancelled while it starts a child.
#include <gtest/gtest.h>
#include <pthread.h>

#include <atomic>

#include "hosts/host.hpp"

namespace mpc::test {
namespace {

class CancelledStartTest : public HostTest {};
MPC_UNDER_EVERY_START_METHOD(CancelledStartTest);

int returns_seven_unless_cancelled(const void*, size_t, const mpc_ref*, size_t) {
  pthread_testcancel();
  return 7;
}

std::atomic<int> exit_code{-1};

void* starts_with_a_cancellation_pending(void*) {
  MUST(pthread_cancel(pthread_self()) == 0);
  exit_code = ended(started(returns_seven_unless_cancelled));
  pthread_testcancel();
  return nullptr;
}

void start_in_a_cancelled_thread() {
  pthread_t thread;
  void* result;
  MUST(pthread_create(&thread, nullptr, starts_with_a_cancellation_pending, nullptr) == 0);
  MUST(pthread_join(thread, &result) == 0);
  MUST(result == PTHREAD_CANCELED);
  MUST(exit_code == 7);
}

MPC_PROGRAM(host_that_cancels_in_a_start) {
  Host host;
  start_in_a_cancelled_thread();
  MUST(mpc_group_leave() == MPC_OK);
  return host.use_library();
}
TEST_P(CancelledStartTest, TheCancellationDoesNotReachTheChild) {
  expect_works("host_that_cancels_in_a_start");
}

MPC_PROGRAM(host_that_cancels_in_a_start_with_fork_handlers) {
  MUST(pthread_atfork(pthread_testcancel, pthread_testcancel, pthread_testcancel) == 0);
  start_in_a_cancelled_thread();
  return 0;
}
TEST_P(CancelledStartTest, TheCancellationTakesEffectAfterItWithForkHandlersToo) {
  expect_works("host_that_cancels_in_a_start_with_fork_handlers");
}

}  // namespace
}  // namespace mpc::test
