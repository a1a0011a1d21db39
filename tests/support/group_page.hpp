// SPDX-License-Identifier: Apache-2.0
#ifndef MPC_TESTS_SUPPORT_GROUP_PAGE_HPP
#define MPC_TESTS_SUPPORT_GROUP_PAGE_HPP

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <new>

#include <mpc/group.h>

#include "support/program.hpp"

namespace mpc::test {

// For programs: memory for one T at the same address in every participant, under each start method.
// It goes with the group.
template <class T>
T* in_group() {
  void* address = nullptr;
  MUST(mpc_group_alloc(sizeof(T), &address) == MPC_OK);
  MUST(mpc_group_publish(address) == MPC_OK);
  return new (address) T();
}

// As SharedPage, in group memory: at the same address in every participant, also in those that were
// started before it was made.
template <class T>
class GroupPage {
 public:
  GroupPage() {
    void* address = nullptr;
    EXPECT_EQ(mpc_group_alloc(sizeof(T), &address), MPC_OK);
    EXPECT_EQ(mpc_group_publish(address), MPC_OK);
    value_ = new (address) T();
  }
  ~GroupPage() { EXPECT_EQ(mpc_group_free(value_), MPC_OK); }
  GroupPage(const GroupPage&) = delete;
  GroupPage& operator=(const GroupPage&) = delete;
  T* get() const { return value_; }
  T* operator->() const { return value_; }
  T& operator*() const { return *value_; }

 private:
  T* value_;
};

}  // namespace mpc::test

#endif
