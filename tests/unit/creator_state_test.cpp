// SPDX-License-Identifier: Apache-2.0
#include "process/creator_state.hpp"

#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/program.hpp"
#include "support/wait.hpp"

namespace mpc {
namespace {

using test::fork_and;
using test::wait_for;

// In a child that changed all of it.
CreatorState changed_state() {
  MUST(chdir("/") == 0);
  MUST(clearenv() == 0 && setenv("ONLY", "this", 1) == 0);
  umask(0123);
  rlimit both{5, 5};
  MUST(setrlimit(RLIMIT_CORE, &both) == 0);
  MUST(nice(2) >= -20);
  cpu_set_t cpus;
  MUST(sched_getaffinity(0, sizeof cpus, &cpus) == 0);
  for (size_t cpu = CPU_SETSIZE - 1; CPU_COUNT(&cpus) > 1; --cpu) CPU_CLR(cpu, &cpus);
  MUST(sched_setaffinity(0, sizeof cpus, &cpus) == 0);
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, SIGWINCH);
  MUST(sigprocmask(SIG_SETMASK, &mask, nullptr) == 0);
  return creator_state_now(true);
}

TEST(CreatorStateTest, TellsWhatAForkWouldCopy) {
  EXPECT_EQ(wait_for(fork_and([] {
              CreatorState state = changed_state();
              MUST(state.working_directory == "/");
              MUST(state.environment == std::string("ONLY=this\0", 10));
              MUST(state.umask == 0123);
              MUST((state.limits[RLIMIT_CORE] == CreatorLimit{5, 5}));
              MUST(state.signal_mask == uint64_t{1} << (SIGWINCH - 1));
              MUST(umask(0) == 0123);
              return 0;
            })),
            0);
}

TEST(CreatorStateTest, TellsTheSameUmaskWhereThereAreThreads) {
  EXPECT_EQ(wait_for(fork_and([] {
              CreatorState state = changed_state();
              MUST(creator_state_now(false) == state);
              return 0;
            })),
            0);
}

TEST(CreatorStateTest, AFolderThatWasRemovedHasNoPath) {
  EXPECT_EQ(wait_for(fork_and([] {
              char folder[] = "/tmp/libmpc-folder-XXXXXX";
              MUST(mkdtemp(folder) != nullptr && chdir(folder) == 0 && rmdir(folder) == 0);
              MUST(creator_state_now(true).working_directory.empty());
              return 0;
            })),
            0);
}

TEST(CreatorStateTest, IsTheSameAfterPackingAndUnpacking) {
  CreatorState state = creator_state_now(true);
  Result<CreatorState> same = creator_state_unpack(creator_state_pack(state));
  ASSERT_TRUE(same) << same.error().message;
  EXPECT_EQ(*same, state);
}

TEST(CreatorStateTest, BytesThatAreCutAnywhereAreRefused) {
  std::string bytes = creator_state_pack(creator_state_now(true));
  for (size_t size = 0; size < bytes.size(); ++size) {
    ASSERT_FALSE(creator_state_unpack(std::string_view(bytes).substr(0, size))) << size;
  }
  EXPECT_FALSE(creator_state_unpack(bytes + '\0'));
}

// What goes up again only with a right (limits, the nice value) goes down here.
TEST(CreatorStateTest, AppliedItIsWhatThisProcessHas) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  EXPECT_EQ(wait_for(fork_and([&] {
              std::string bytes = creator_state_pack(changed_state());
              return write(ends[1], bytes.data(), bytes.size()) == ssize_t(bytes.size()) ? 0 : 1;
            })),
            0);
  char buffer[65536];
  ssize_t size = read(ends[0], buffer, sizeof buffer);
  ASSERT_GT(size, 0);
  close(ends[0]);
  close(ends[1]);
  EXPECT_EQ(wait_for(fork_and([&] {
              Result<CreatorState> wanted =
                  creator_state_unpack(std::string_view(buffer, static_cast<size_t>(size)));
              MUST(wanted);
              MUST(!(creator_state_now(true) == *wanted));
              MUST(creator_state_apply(*wanted, creator_state_now(true)));
              MUST(creator_state_now(true) == *wanted);
              MUST(strcmp(getenv("ONLY"), "this") == 0);
              MUST(setenv("ONLY", "that", 1) == 0 && strcmp(getenv("ONLY"), "that") == 0);
              return 0;
            })),
            0);
}

TEST(CreatorStateTest, WhatDoesNotDifferIsNotTouched) {
  EXPECT_EQ(wait_for(fork_and([] {
              CreatorState before = creator_state_now(true);
              char** environment = environ;
              // Would fail if it were applied.
              before.working_directory = "/there/is/no/such/folder";
              before.limits[RLIMIT_NOFILE] = CreatorLimit{2, 1};
              MUST(creator_state_apply(before, before));
              MUST(environ == environment);
              return 0;
            })),
            0);
}

TEST(CreatorStateTest, WhatCannotBeIsAnErrorThatNamesIt) {
  CreatorState present = creator_state_now(true);
  CreatorState wanted = present;
  wanted.working_directory = "/there/is/no/such/folder";
  Result<void> applied = creator_state_apply(wanted, present);
  ASSERT_FALSE(applied);
  EXPECT_NE(applied.error().message.find("/there/is/no/such/folder failed with ENOENT"),
            std::string::npos)
      << applied.error().message;
}

}  // namespace
}  // namespace mpc
