// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <gtest/gtest.h>

#include "base/deadline.hpp"
#include "base/result.hpp"

namespace mpc {
namespace {

TEST(DeadlineTest, ForeverNeverPasses) {
  Deadline forever = Deadline::after(MPC_FOREVER);
  EXPECT_TRUE(forever.never());
  EXPECT_FALSE(forever.past());
  EXPECT_EQ(forever.left(123), 123);
}

TEST(DeadlineTest, ZeroAndOtherNegativesArePastAtOnce) {
  for (int64_t timeout : {int64_t{0}, int64_t{-2}, int64_t{-1'000'000'000}, INT64_MIN}) {
    Deadline deadline = Deadline::after(timeout);
    EXPECT_FALSE(deadline.never());
    EXPECT_TRUE(deadline.past()) << timeout;
    EXPECT_EQ(deadline.left(INT64_MAX), 0);
  }
}

TEST(DeadlineTest, WhatIsLeftIsBounded) {
  Deadline deadline = Deadline::after(MPC_SECONDS(100));
  EXPECT_EQ(deadline.left(MPC_SECONDS(1)), MPC_SECONDS(1));
  EXPECT_GT(deadline.left(INT64_MAX), MPC_SECONDS(50));
  EXPECT_LE(deadline.left(INT64_MAX), MPC_SECONDS(100));
}

TEST(DeadlineTest, TheLongestTimeoutIsFarAwayAndNotForever) {
  Deadline deadline = Deadline::after(INT64_MAX);
  EXPECT_FALSE(deadline.never());
  EXPECT_FALSE(deadline.past());
  EXPECT_EQ(Deadline::at(deadline.ns()).ns(), deadline.ns());
}

TEST(ResultTest, IsAValueOrAnError) {
  Result<int> good = 5;
  EXPECT_TRUE(good);
  EXPECT_EQ(*good, 5);
  Result<int> bad = failure(MPC_ESTATE, "number %d", 7);
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().status, MPC_ESTATE);
  EXPECT_EQ(bad.error().message, "number 7");
  EXPECT_TRUE(Result<void>());
  EXPECT_FALSE(Result<void>(Error{MPC_EINVAL, {}}));
}

TEST(ResultTest, ALongMessageIsCut) {
  EXPECT_EQ(failure(MPC_EINVAL, "%s", std::string(5000, 'x').c_str()).message.size(), 511u);
}

TEST(ResultTest, AFailureOfTheKernelNamesTheCallAndTheErrno) {
  Error error = system_failure("fork", EAGAIN);
  EXPECT_EQ(error.status, MPC_ESYSTEM);
  EXPECT_EQ(error.message, "fork failed with EAGAIN (11)");
}

}  // namespace
}  // namespace mpc
