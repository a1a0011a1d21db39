// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "support/program.hpp"
#include "support/watchdog.hpp"

namespace {

class Watchdog : public testing::EmptyTestEventListener {
  void OnTestStart(const testing::TestInfo&) override { mpc::test::watchdog_start(); }
  void OnTestEnd(const testing::TestInfo&) override { mpc::test::watchdog_stop(); }
};

}  // namespace

int main(int argc, char** argv) {
  int exit_code = mpc::test::run_entry(argc, argv);
  if (exit_code >= 0) return exit_code;
  testing::InitGoogleTest(&argc, argv);
  testing::UnitTest::GetInstance()->listeners().Append(new Watchdog);
  return RUN_ALL_TESTS();
}
