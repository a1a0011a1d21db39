// SPDX-License-Identifier: Apache-2.0
// A child that has children of its own still dies with its parent.
#include <signal.h>
#include <unistd.h>

#include "support/start_method_test.hpp"
#include "support/subreaper.hpp"

namespace mpc::test {
namespace {

struct Family {
  Count there;  // members that have begun, and started whom they had to
  mpc_start_method method;
};

int wait_for_the_end(const void* argument, size_t, const mpc_ref*, size_t) {
  argument_as<Family*>(argument)->there.add();
  for (;;) pause();
}

void start_child(mpc_process_fn function, Family* family) {
  mpc_process_options options = MPC_PROCESS_OPTIONS_INIT;
  options.start_method = family->method;
  options.argument = &family;
  options.argument_size = sizeof family;
  mpc_process* process = nullptr;
  if (mpc_process_create(function, &options, &process) != MPC_OK ||
      mpc_process_start(process) != MPC_OK) {
    _exit(100);
  }
}

int have_a_child(const void* argument, size_t, const mpc_ref*, size_t) {
  auto* family = argument_as<Family*>(argument);
  start_child(wait_for_the_end, family);
  family->there.add();
  for (;;) pause();
}

// What ties a first child and what ties a later one is not made in the same way.
int have_grandchildren(const void* argument, size_t size, const mpc_ref* refs, size_t count) {
  auto* family = argument_as<Family*>(argument);
  start_child(have_a_child, family);
  start_child(have_a_child, family);
  return wait_for_the_end(argument, size, refs, count);
}

class NestedOrphanTest : public StartMethodTest {};
MPC_UNDER_EVERY_START_METHOD(NestedOrphanTest);

TEST_P(NestedOrphanTest, M21AChildWithChildrenOfItsOwnDiesWithItsParent) {
  Subreaper subreaper;
  GroupPage<Family> page;
  page->method = GetParam();
  mpc_process* root = start(have_grandchildren, page.get());
  ASSERT_TRUE(page->there.reaches(5));
  ASSERT_EQ(mpc_process_kill(root), MPC_OK);
  EXPECT_EQ(exit_code_of(root), -SIGKILL);
  EXPECT_TRUE(Subreaper::all_end()) << "a descendant outlives the parent";
}

}  // namespace
}  // namespace mpc::test
