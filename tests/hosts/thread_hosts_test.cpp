// SPDX-License-Identifier: Apache-2.0
// Hosts with threads that come, go, and are cancelled.
#include <gtest/gtest.h>
#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <thread>
#include <vector>

#include "hosts/host.hpp"

namespace mpc::test {
namespace {

class ThreadHostTest : public HostTest {};
MPC_UNDER_EVERY_START_METHOD(ThreadHostTest);

pthread_t main_thread;

template <bool kLeaves>
void* use_after_main(void* host) {
  pthread_join(main_thread, nullptr);
  if (kLeaves) {
    static_cast<Host*>(host)->use_library();
  } else {
    static_cast<Host*>(host)->use_group();
  }
  return nullptr;
}

template <bool kLeaves>
int leave_main() {
  static Host host;
  main_thread = pthread_self();
  pthread_t other;
  MUST(pthread_create(&other, nullptr, use_after_main<kLeaves>, &host) == 0);
  MUST(pthread_detach(other) == 0);
  pthread_exit(nullptr);
}

MPC_PROGRAM(host_whose_main_thread_is_gone) { return leave_main<true>(); }
TEST_P(ThreadHostTest, AfterTheMainThreadLeftTheLastThreadEndsTheProcess) {
  expect_works("host_whose_main_thread_is_gone");
}

MPC_PROGRAM(host_whose_main_thread_is_gone_and_group_stays) { return leave_main<false>(); }
TEST_P(ThreadHostTest, AfterTheMainThreadLeftAGroupKeepsNoProcessAlive) {
  expect_works("host_whose_main_thread_is_gone_and_group_stays");
}

MPC_PROGRAM(host_with_fifty_threads) {
  Host host;
  HostState before = HostState::now();
  mpc_pool* pool = pool_of(2);
  std::vector<std::thread> threads;
  for (int i = 0; i < 50; ++i) {
    threads.emplace_back([pool] {
      map_numbers(pool);
      MUST(ended(started(nullptr)) == 0);
      for (int k = 0; k < 100; ++k) {
        void* address;
        MUST(KEEPS_ERRNO(mpc_group_alloc(200, &address)) == MPC_OK);
        MUST(KEEPS_ERRNO(mpc_group_publish(address)) == MPC_OK);
        MUST(KEEPS_ERRNO(mpc_group_free(address)) == MPC_OK);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  end_pool(pool);
  MUST(mpc_group_leave() == MPC_OK);
  before.must_still_be();
  return 0;
}
TEST_P(ThreadHostTest, FiftyThreadsUseItAtOnce) { expect_works("host_with_fifty_threads"); }

struct Gate {
  Count inside;
  Count open;
};

int passes_the_gate(const void* item, void*) {
  Gate* gate = argument_as<Gate*>(item);
  gate->inside.add();
  return gate->open.reaches(1) ? 0 : 1;
}

int waits_at_the_gate(const void* argument, size_t, const mpc_ref*, size_t) {
  Gate* gate = argument_as<Gate*>(argument);
  gate->inside.add();
  return gate->open.reaches(1) ? 0 : 1;
}

std::atomic<int> returned{1};

struct MapCall {
  mpc_pool* pool;
  Gate* gate;
};

void* maps(void* argument) {
  auto* call = static_cast<MapCall*>(argument);
  Gate* items[2] = {call->gate, call->gate};
  returned =
      mpc_pool_map(call->pool, passes_the_gate, items, 2, sizeof items[0], nullptr, 0, nullptr);
  pthread_testcancel();
  return nullptr;
}

void* joins(void* process) {
  returned = mpc_process_join(static_cast<mpc_process*>(process), MPC_FOREVER);
  pthread_testcancel();
  return nullptr;
}

// Cancels a thread that is inside a call, which finishes first.
void cancel_in(void* (*call)(void*), void* argument, Gate* gate) {
  pthread_t thread;
  void* result;
  MUST(pthread_create(&thread, nullptr, call, argument) == 0);
  MUST(gate->inside.reaches(1));
  MUST(pthread_cancel(thread) == 0);
  // A thread that had followed the cancellation would be gone soon.
  timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_nsec += 100'000'000;
  if (until.tv_nsec >= 1'000'000'000) {
    until.tv_nsec -= 1'000'000'000;
    ++until.tv_sec;
  }
  MUST(pthread_timedjoin_np(thread, &result, &until) == ETIMEDOUT);
  gate->open.set(1);
  MUST(pthread_join(thread, &result) == 0);
  MUST(result == PTHREAD_CANCELED);
  MUST(returned == MPC_OK);
}

MPC_PROGRAM(host_that_cancels_in_a_map) {
  Host host;
  MapCall call{pool_of(2), in_group<Gate>()};
  mpc_pool* pool = call.pool;
  cancel_in(maps, &call, call.gate);
  end_pool(pool);
  MUST(mpc_group_leave() == MPC_OK);
  return host.use_library();
}
TEST_P(ThreadHostTest, CancellationInAMapTakesEffectAfterIt) {
  expect_works("host_that_cancels_in_a_map");
}

MPC_PROGRAM(host_that_cancels_in_a_join) {
  Host host;
  Gate* gate = in_group<Gate>();
  mpc_process* process = started_with(waits_at_the_gate, gate);
  cancel_in(joins, process, gate);
  MUST(ended(process) == 0);
  MUST(mpc_group_leave() == MPC_OK);
  return host.use_library();
}
TEST_P(ThreadHostTest, CancellationInAJoinTakesEffectAfterIt) {
  expect_works("host_that_cancels_in_a_join");
}

}  // namespace
}  // namespace mpc::test
