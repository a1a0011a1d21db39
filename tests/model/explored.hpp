// SPDX-License-Identifier: Apache-2.0
// How a test says what it expects of an exploration.
#ifndef MPC_TESTS_MODEL_EXPLORED_HPP
#define MPC_TESTS_MODEL_EXPLORED_HPP

#include <gtest/gtest.h>

#include "interleaver.hpp"

namespace mpc::model {

// A word with nothing beside it in the eight bytes that the interleaver watches.
struct alignas(8) LoneWord : Word<uint32_t> {};

// Holds for every schedule.
inline void expect_holds(Interleaver* interleaver) {
  const Report report = explore_and_print(interleaver);
  EXPECT_TRUE(report.holds) << report.fault << "\nafter\n" << report.schedule;
  EXPECT_GT(report.ends, 0u);
}

// Some schedule breaks it, and what breaks is what the test planted.
inline void expect_found(Interleaver* interleaver, const char* fault) {
  const Report report = explore_and_print(interleaver);
  EXPECT_FALSE(report.holds) << "the planted fault was not found";
  EXPECT_NE(report.fault.find(fault), std::string::npos) << report.fault << "\nafter\n"
                                                         << report.schedule;
}

}  // namespace mpc::model

#endif
