// SPDX-License-Identifier: Apache-2.0
// Ends a test that hangs, before ctest would, and says where it and its children are.
#ifndef MPC_TESTS_SUPPORT_WATCHDOG_HPP
#define MPC_TESTS_SUPPORT_WATCHDOG_HPP

namespace mpc::test {

// Bounds every wait of the tests for something that has to happen. A sanitizer makes a fresh image
// take many times as long.
#ifdef MPC_TEST_SANITIZED
inline constexpr unsigned kWatchdogSeconds = 270;
#else
inline constexpr unsigned kWatchdogSeconds = 90;
#endif

// Starts the time of one test anew. It is a SIGALRM, which no thread is needed for and no child
// inherits.
void watchdog_start(unsigned seconds = kWatchdogSeconds);
void watchdog_stop();

}  // namespace mpc::test

#endif
