// SPDX-License-Identifier: Apache-2.0
// Hosts whose signals, and whose children, are not what a library would like.
#include <gtest/gtest.h>
#include <pthread.h>
#include <sched.h>
#include <sys/wait.h>

#include <atomic>

#include "hosts/host.hpp"

namespace mpc::test {
namespace {

MPC_PROGRAM(host_that_blocks_all_signals) {
  Host host;
  sigset_t all;
  sigfillset(&all);
  MUST(pthread_sigmask(SIG_SETMASK, &all, nullptr) == 0);
  return host.use_library();
}
TEST(SignalHostTest, AllSignalsAreBlocked) { expect_works("host_that_blocks_all_signals"); }

MPC_PROGRAM(host_that_ignores_sigchld) {
  Host host(ExitCodes::kPerhapsLost);
  signal(SIGCHLD, SIG_IGN);
  return host.use_library();
}
TEST(SignalHostTest, SigchldIsIgnored) { expect_works("host_that_ignores_sigchld"); }

MPC_PROGRAM(host_that_wants_no_zombies) {
  Host host(ExitCodes::kPerhapsLost);
  struct sigaction action = {};
  action.sa_handler = SIG_DFL;
  action.sa_flags = SA_NOCLDWAIT;
  MUST(sigaction(SIGCHLD, &action, nullptr) == 0);
  return host.use_library();
}
TEST(SignalHostTest, SigchldHasNoCldWait) { expect_works("host_that_wants_no_zombies"); }

MPC_PROGRAM(host_that_ignores_every_signal) {
  Host host(ExitCodes::kPerhapsLost);
  for (int number = 1; number < NSIG; ++number) signal(number, SIG_IGN);
  return host.use_library();
}
TEST(SignalHostTest, EverySignalIsIgnored) { expect_works("host_that_ignores_every_signal"); }

std::atomic<bool> reaping{true};

void* reap_everybody(void*) {
  while (reaping.load()) {
    if (waitpid(-1, nullptr, 0) < 0) sched_yield();
  }
  return nullptr;
}

MPC_PROGRAM(host_that_reaps_every_child) {
  Host host(ExitCodes::kPerhapsLost);
  pthread_t reaper;
  MUST(pthread_create(&reaper, nullptr, reap_everybody, nullptr) == 0);
  int exit_code = host.use_library();
  reaping.store(false);
  MUST(pthread_join(reaper, nullptr) == 0);
  return exit_code;
}
TEST(SignalHostTest, AThreadReapsEveryChild) { expect_works("host_that_reaps_every_child"); }

std::atomic<bool> signalling{true};

void* signal_main(void* main_thread) {
  while (signalling.load()) {
    pthread_kill(*static_cast<pthread_t*>(main_thread), SIGUSR1);
    sched_yield();
  }
  return nullptr;
}

MPC_PROGRAM(host_that_is_interrupted_all_the_time) {
  Host host;
  struct sigaction action = {};
  action.sa_handler = [](int) {};
  MUST(sigaction(SIGUSR1, &action, nullptr) == 0);
  pthread_t main_thread = pthread_self();
  pthread_t other;
  MUST(pthread_create(&other, nullptr, signal_main, &main_thread) == 0);
  int exit_code = host.use_library();
  signalling.store(false);
  MUST(pthread_join(other, nullptr) == 0);
  return exit_code;
}
TEST(SignalHostTest, SignalsInterruptEveryWait) {
  expect_works("host_that_is_interrupted_all_the_time");
}

}  // namespace
}  // namespace mpc::test
