// SPDX-License-Identifier: Apache-2.0
// Hosts with threads that come, go, and are cancelled.
#include <gtest/gtest.h>
#include <pthread.h>

#include <atomic>
#include <thread>
#include <vector>

#include "hosts/host.hpp"

namespace mpc::test {
namespace {

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
TEST(ThreadHostTest, AfterTheMainThreadLeftTheLastThreadEndsTheProcess) {
  expect_works("host_whose_main_thread_is_gone");
}

MPC_PROGRAM(host_whose_main_thread_is_gone_and_group_stays) { return leave_main<false>(); }
TEST(ThreadHostTest, AfterTheMainThreadLeftAGroupKeepsNoProcessAlive) {
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
TEST(ThreadHostTest, FiftyThreadsUseItAtOnce) { expect_works("host_with_fifty_threads"); }

struct Gate {
  Count inside;
  Count open;
};
Gate* gate;

int passes_the_gate(const void*, void*) {
  gate->inside.add();
  return gate->open.reaches(1) ? 0 : 1;
}

int waits_at_the_gate(const void*, size_t, const mpc_ref*, size_t) {
  gate->inside.add();
  return gate->open.reaches(1) ? 0 : 1;
}

std::atomic<int> returned{1};

void* maps(void* pool) {
  char items[2] = {};
  returned =
      mpc_pool_map(static_cast<mpc_pool*>(pool), passes_the_gate, items, 2, 1, nullptr, 0, nullptr);
  pthread_testcancel();
  return nullptr;
}

void* joins(void* process) {
  returned = mpc_process_join(static_cast<mpc_process*>(process), MPC_FOREVER);
  pthread_testcancel();
  return nullptr;
}

// Cancels a thread that is inside a call, which finishes first.
void cancel_in(void* (*call)(void*), void* argument) {
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
  SharedPage<Gate> page;
  gate = page.get();
  mpc_pool* pool = pool_of(2);
  cancel_in(maps, pool);
  end_pool(pool);
  MUST(mpc_group_leave() == MPC_OK);
  return host.use_library();
}
TEST(ThreadHostTest, CancellationInAMapTakesEffectAfterIt) {
  expect_works("host_that_cancels_in_a_map");
}

MPC_PROGRAM(host_that_cancels_in_a_join) {
  Host host;
  SharedPage<Gate> page;
  gate = page.get();
  mpc_process* process = started(waits_at_the_gate);
  cancel_in(joins, process);
  MUST(ended(process) == 0);
  MUST(mpc_group_leave() == MPC_OK);
  return host.use_library();
}
TEST(ThreadHostTest, CancellationInAJoinTakesEffectAfterIt) {
  expect_works("host_that_cancels_in_a_join");
}

}  // namespace
}  // namespace mpc::test
