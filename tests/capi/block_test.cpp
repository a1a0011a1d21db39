// SPDX-License-Identifier: Apache-2.0
// Blocks: how long they live, and who sees them.
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

#include "support/start_method_test.hpp"

namespace mpc::test {
namespace {

class BlockTest : public StartMethodTest {};
MPC_UNDER_EVERY_START_METHOD(BlockTest);

struct Made {
  mpc_block* block = nullptr;
  mpc_ref ref = {};
  char* bytes = nullptr;
};

Made make_block(size_t size) {
  Made made;
  EXPECT_EQ(mpc_block_create(size, &made.block), MPC_OK) << last_message();
  EXPECT_EQ(mpc_block_ref(made.block, &made.ref), MPC_OK) << last_message();
  made.bytes = static_cast<char*>(mpc_block_address(made.block));
  return made;
}

mpc_status try_to_attach(const mpc_ref& ref) {
  mpc_block* block;
  mpc_status status = mpc_block_attach(&ref, &block);
  if (status == MPC_OK) (void)mpc_block_detach(block);
  return status;
}

uint64_t objects() { return swept_stats().objects; }

// --- one process ---------------------------------------------------------------------------------

TEST_P(BlockTest, IsZeroedAlignedAndOfTheSizeAskedFor) {
  for (size_t size : {size_t{1}, size_t{100}, size_t{4096}, size_t{700'000}, size_t{3} << 20}) {
    for (int round = 0; round < 2; ++round) {
      Made made = make_block(size);
      EXPECT_EQ(mpc_block_size(made.block), size);
      EXPECT_EQ(reinterpret_cast<uintptr_t>(made.bytes) % 64, 0u);
      EXPECT_EQ(std::count(made.bytes, made.bytes + size, '\0'), static_cast<ptrdiff_t>(size));
      memset(made.bytes, 0xff, size);
      EXPECT_EQ(mpc_block_detach(made.block), MPC_OK);
    }
  }
}

TEST_P(BlockTest, OfNoBytesIsRefused) {
  mpc_block* block = nullptr;
  EXPECT_EQ(mpc_block_create(0, &block), MPC_EINVAL);
  EXPECT_EQ(block, nullptr);
}

TEST_P(BlockTest, ARefSaysWhatItNames) {
  Made made = make_block(10);
  EXPECT_EQ(made.ref.kind, static_cast<uint32_t>(MPC_KIND_BLOCK));
  EXPECT_EQ(made.ref.group, swept_stats().id);
  EXPECT_EQ(made.ref.reserved, 0u);
  EXPECT_EQ(mpc_block_detach(made.block), MPC_OK);
}

TEST_P(BlockTest, ASecondHandleOfOneProcessSeesTheSameBytesAndKeepsThem) {
  Made made = make_block(100);
  mpc_block* second;
  ASSERT_EQ(mpc_block_attach(&made.ref, &second), MPC_OK);
  EXPECT_NE(second, made.block);
  EXPECT_EQ(mpc_block_address(second), made.bytes);
  EXPECT_EQ(mpc_block_size(second), 100u);
  made.bytes[99] = 'x';
  EXPECT_EQ(mpc_block_detach(made.block), MPC_OK);
  EXPECT_EQ(static_cast<char*>(mpc_block_address(second))[99], 'x');
  EXPECT_EQ(try_to_attach(made.ref), MPC_OK);
  EXPECT_EQ(mpc_block_detach(second), MPC_OK);
  EXPECT_EQ(try_to_attach(made.ref), MPC_ESTALE);
}

TEST_P(BlockTest, EndsWithItsLastHandle) {
  uint64_t before = objects();
  Made made = make_block(100);
  EXPECT_EQ(objects(), before + 1);
  EXPECT_EQ(mpc_block_detach(made.block), MPC_OK);
  EXPECT_EQ(objects(), before);
  EXPECT_EQ(try_to_attach(made.ref), MPC_ESTALE);
}

TEST_P(BlockTest, AUsedUpHandleAnswersNothing) {
  Made made = make_block(100);
  ASSERT_EQ(mpc_block_detach(made.block), MPC_OK);
  mpc_ref ref;
  EXPECT_EQ(mpc_block_address(made.block), nullptr);
  EXPECT_EQ(mpc_block_size(made.block), 0u);
  EXPECT_EQ(mpc_block_ref(made.block, &ref), MPC_EINVAL);
  EXPECT_EQ(mpc_block_detach(made.block), MPC_EINVAL);
  EXPECT_EQ(mpc_block_destroy(made.block), MPC_EINVAL);
  EXPECT_EQ(mpc_block_detach(nullptr), MPC_OK);
  EXPECT_EQ(mpc_block_destroy(nullptr), MPC_OK);
}

TEST_P(BlockTest, DestroyEndsItForAllAndLeavesTheBytesUntilTheyLetGo) {
  Made made = make_block(100);
  mpc_block* second;
  ASSERT_EQ(mpc_block_attach(&made.ref, &second), MPC_OK);
  made.bytes[5] = 'y';
  EXPECT_EQ(mpc_block_destroy(made.block), MPC_OK);
  mpc_ref ref;
  EXPECT_EQ(mpc_block_ref(second, &ref), MPC_ESTALE);
  EXPECT_EQ(try_to_attach(made.ref), MPC_ESTALE);
  EXPECT_EQ(static_cast<char*>(mpc_block_address(second))[5], 'y');
  EXPECT_EQ(mpc_block_destroy(second), MPC_OK) << "destroyed by another already";
}

TEST_P(BlockTest, AnOldRefIsStaleAlsoWhenItsPlaceIsUsedAgain) {
  Made old = make_block(100);
  ASSERT_EQ(mpc_block_detach(old.block), MPC_OK);
  std::vector<Made> others;
  bool again = false;
  for (int i = 0; i < 5000 && !again; ++i) {
    Made made = make_block(100);
    again = made.ref.place == old.ref.place;
    EXPECT_EQ(try_to_attach(old.ref), MPC_ESTALE);
    if (again || others.size() < 5) {
      others.push_back(made);
    } else {
      ASSERT_EQ(mpc_block_detach(made.block), MPC_OK);
    }
  }
  for (const Made& made : others) EXPECT_EQ(mpc_block_detach(made.block), MPC_OK);
}

TEST_P(BlockTest, RefsThatNameNothingAreRefused) {
  Made made = make_block(10);
  mpc_ref nothing = {};
  EXPECT_EQ(try_to_attach(nothing), MPC_EINVAL);
  mpc_ref ref = made.ref;
  ref.kind = MPC_KIND_POOL;
  EXPECT_EQ(try_to_attach(ref), MPC_EINVAL);
  ref = made.ref;
  ++ref.group;
  EXPECT_EQ(try_to_attach(ref), MPC_EGROUP);
  for (uint32_t place : {0u, made.ref.place + 1, 1u << 20, UINT32_MAX}) {
    ref = made.ref;
    ref.place = place;
    EXPECT_EQ(try_to_attach(ref), MPC_ESTALE) << place;
  }
  for (uint32_t generation : {made.ref.generation + 1, made.ref.generation - 1, UINT32_MAX}) {
    ref = made.ref;
    ref.generation = generation;
    EXPECT_EQ(try_to_attach(ref), MPC_ESTALE) << generation;
  }
  EXPECT_EQ(try_to_attach(made.ref), MPC_OK);
  EXPECT_EQ(mpc_block_detach(made.block), MPC_OK);
}

TEST_P(BlockTest, TheRefOfAPoolIsNoBlock) {
  // A pool gives no ref away. Places are taken one after the other, so that of a pool made now
  // follows that of a block made before, and has been used no more often.
  Made made = make_block(10);
  make_pool(1);
  bool found = false;
  mpc_ref ref = made.ref;
  for (uint32_t place = made.ref.place + 1; place < made.ref.place + 8; ++place) {
    for (uint32_t generation = 0; generation <= made.ref.generation + 1; ++generation) {
      ref.place = place;
      ref.generation = generation;
      mpc_status status = try_to_attach(ref);
      EXPECT_TRUE(status == MPC_ESTALE || status == MPC_EINVAL) << status;
      found = found || status == MPC_EINVAL;
    }
  }
  EXPECT_TRUE(found);
  EXPECT_EQ(mpc_block_detach(made.block), MPC_OK);
}

TEST_P(BlockTest, ThreadsMayMakeAttachAndDetachAtOnce) {
  Made made = make_block(64);
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 500; ++i) {
        mpc_block* shared;
        mpc_block* own;
        if (mpc_block_attach(&made.ref, &shared) != MPC_OK) ++wrong;
        if (mpc_block_create(64, &own) != MPC_OK) ++wrong;
        if (mpc_block_address(shared) != made.bytes) ++wrong;
        if (mpc_block_detach(shared) != MPC_OK || mpc_block_detach(own) != MPC_OK) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(mpc_block_detach(made.block), MPC_OK);
}

// --- between processes ---------------------------------------------------------------------------

struct Talk {
  Count ready;
  Count go;
  mpc_ref ref;
  void* address;
};

int look_by_ref(const void* argument, size_t, const mpc_ref* refs, size_t ref_count) {
  auto* talk = argument_as<Talk*>(argument);
  mpc_block* block;
  MUST(ref_count == 1);
  MUST(mpc_block_attach(&refs[0], &block) == MPC_OK);
  auto* bytes = static_cast<char*>(mpc_block_address(block));
  MUST(bytes == talk->address && mpc_block_size(block) == 100);
  MUST(strcmp(bytes, "from the parent") == 0);
  strcpy(bytes, "from the child");
  MUST(mpc_block_detach(block) == MPC_OK);
  return 0;
}

class BlockOfTwoTest : public BlockTest {
 protected:
  mpc_process* start_with(mpc_process_fn function, Talk* talk, const mpc_ref* refs, size_t count) {
    mpc_process_options options = process_options();
    options.argument = &talk;
    options.argument_size = sizeof talk;
    options.refs = refs;
    options.ref_count = count;
    return start(function, options);
  }
};
MPC_UNDER_EVERY_START_METHOD(BlockOfTwoTest);

TEST_P(BlockOfTwoTest, AChildFindsTheBytesAtTheSameAddress) {
  GroupPage<Talk> talk;
  Made made = make_block(100);
  strcpy(made.bytes, "from the parent");
  talk->address = made.bytes;
  EXPECT_EQ(exit_code_of(start_with(look_by_ref, talk.get(), &made.ref, 1)), 0);
  EXPECT_STREQ(made.bytes, "from the child");
  EXPECT_EQ(mpc_block_detach(made.block), MPC_OK);
}

int attach_when_told(const void* argument, size_t, const mpc_ref* refs, size_t) {
  auto* talk = argument_as<Talk*>(argument);
  talk->ready.add();
  MUST(talk->go.reaches(1));
  mpc_block* block;
  MUST(mpc_block_attach(&refs[0], &block) == MPC_OK);
  MUST(strcmp(static_cast<char*>(mpc_block_address(block)), "still here") == 0);
  return 0;
}

TEST_P(BlockOfTwoTest, AListedRefKeepsTheBlockUntilTheChildHasEnded) {
  GroupPage<Talk> talk;
  Made made = make_block(100);
  strcpy(made.bytes, "still here");
  mpc_process* process = start_with(attach_when_told, talk.get(), &made.ref, 1);
  ASSERT_EQ(mpc_block_detach(made.block), MPC_OK);
  ASSERT_EQ(try_to_attach(made.ref), MPC_OK) << "the child has not attached it yet";
  talk->go.set(1);
  EXPECT_EQ(exit_code_of(process), 0);
  EXPECT_EQ(try_to_attach(made.ref), MPC_ESTALE);
}

int attach_and_wait(const void* argument, size_t, const mpc_ref*, size_t) {
  auto* talk = argument_as<Talk*>(argument);
  mpc_block* block;
  MUST(mpc_block_attach(&talk->ref, &block) == MPC_OK);
  ++*static_cast<char*>(mpc_block_address(block));
  talk->ready.add();
  MUST(talk->go.reaches(1));
  return 0;
}

TEST_P(BlockOfTwoTest, ABlockLivesWithAChildAfterItsParentLetGoAndEndsWhenTheChildIsKilled) {
  GroupPage<Talk> talk;
  uint64_t before = objects();
  Made made = make_block(100);
  talk->ref = made.ref;
  mpc_process* process = start(attach_and_wait, talk.get());
  ASSERT_TRUE(talk->ready.reaches(1));
  ASSERT_EQ(mpc_block_detach(made.block), MPC_OK);
  EXPECT_EQ(objects(), before + 1);
  EXPECT_EQ(try_to_attach(made.ref), MPC_OK);
  ASSERT_EQ(mpc_process_kill(process), MPC_OK);
  EXPECT_EQ(exit_code_of(process), -SIGKILL);
  EXPECT_EQ(objects(), before);
  EXPECT_EQ(try_to_attach(made.ref), MPC_ESTALE);
}

int make_and_tell(const void* argument, size_t, const mpc_ref*, size_t) {
  auto* talk = argument_as<Talk*>(argument);
  mpc_block* block;
  MUST(mpc_block_create(50, &block) == MPC_OK);
  strcpy(static_cast<char*>(mpc_block_address(block)), "made by the child");
  MUST(mpc_block_ref(block, &talk->ref) == MPC_OK);
  talk->ready.add();
  MUST(talk->go.reaches(1));
  return 0;
}

TEST_P(BlockOfTwoTest, AParentAttachesWhatItsChildMadeAndKeepsItWhenTheChildIsGone) {
  GroupPage<Talk> talk;
  mpc_process* process = start(make_and_tell, talk.get());
  ASSERT_TRUE(talk->ready.reaches(1));
  mpc_block* block;
  ASSERT_EQ(mpc_block_attach(&talk->ref, &block), MPC_OK) << last_message();
  talk->go.set(1);
  EXPECT_EQ(exit_code_of(process), 0);
  EXPECT_STREQ(static_cast<char*>(mpc_block_address(block)), "made by the child");
  EXPECT_EQ(mpc_block_detach(block), MPC_OK);
}

int destroy_it(const void*, size_t, const mpc_ref* refs, size_t) {
  mpc_block* block;
  MUST(mpc_block_attach(&refs[0], &block) == MPC_OK);
  MUST(mpc_block_destroy(block) == MPC_OK);
  return 0;
}

TEST_P(BlockOfTwoTest, AChildMayDestroyWhatItsParentHolds) {
  GroupPage<Talk> talk;
  Made made = make_block(100);
  strcpy(made.bytes, "readable");
  EXPECT_EQ(exit_code_of(start_with(destroy_it, talk.get(), &made.ref, 1)), 0);
  mpc_ref ref;
  EXPECT_EQ(mpc_block_ref(made.block, &ref), MPC_ESTALE);
  EXPECT_STREQ(made.bytes, "readable");
  EXPECT_EQ(mpc_block_detach(made.block), MPC_OK);
}

TEST_P(BlockOfTwoTest, AHundredChildrenMayHoldOneBlockAndItEndsWithTheLast) {
  constexpr uint32_t kChildren = 100;
  GroupPage<Talk> talk;
  uint64_t before = objects();
  Made made = make_block(100);
  talk->ref = made.ref;
  std::vector<mpc_process*> processes;
  for (uint32_t i = 0; i < kChildren; ++i) processes.push_back(start(attach_and_wait, talk.get()));
  ASSERT_TRUE(talk->ready.reaches(kChildren));
  ASSERT_EQ(mpc_block_detach(made.block), MPC_OK);
  for (uint32_t i = 0; i < kChildren - 1; ++i) {
    ASSERT_EQ(mpc_process_kill(processes[(i * 37) % kChildren]), MPC_OK);
    ASSERT_EQ(exit_code_of(processes[(i * 37) % kChildren]), -SIGKILL);
    if (i % 10 == 0) {
      ASSERT_EQ(try_to_attach(made.ref), MPC_OK) << i;
    }
  }
  EXPECT_EQ(objects(), before + 1);
  talk->go.set(1);
  EXPECT_EQ(exit_code_of(processes[(kChildren - 1) * 37 % kChildren]), 0);
  EXPECT_EQ(objects(), before);
  EXPECT_EQ(try_to_attach(made.ref), MPC_ESTALE);
}

// --- handles that were inherited -----------------------------------------------------------------

TEST_P(BlockTest, AnInheritedHandleWorksInAForkedChildAndKeepsTheBlock) {
  SharedPage<Talk> talk;
  uint64_t before = objects();
  Made made = make_block(100);
  strcpy(made.bytes, "inherited");
  pid_t child = fork_and([&] {
    MUST(mpc_group_join() == MPC_OK);
    talk->ready.add();
    MUST(talk->go.reaches(1));
    MUST(strcmp(static_cast<char*>(mpc_block_address(made.block)), "inherited") == 0);
    MUST(try_to_attach(made.ref) == MPC_OK);
    MUST(mpc_block_detach(made.block) == MPC_OK);
    MUST(try_to_attach(made.ref) == MPC_ESTALE);
    return 0;
  });
  ASSERT_TRUE(talk->ready.reaches(1));
  ASSERT_EQ(mpc_block_detach(made.block), MPC_OK);
  EXPECT_EQ(objects(), before + 1) << "the child holds it";
  talk->go.set(1);
  EXPECT_EQ(wait_for(child), 0);
  EXPECT_EQ(objects(), before);
}

TEST_P(BlockTest, AnInheritedHandleIsStaleWhereTheParentLetGoBeforeTheChildsFirstCall) {
  SharedPage<Talk> talk;
  Made made = make_block(100);
  pid_t child = fork_and([&] {
    MUST(talk->go.reaches(1));
    mpc_ref ref;
    MUST(mpc_block_ref(made.block, &ref) == MPC_ESTALE);
    MUST(mpc_block_address(made.block) == nullptr);
    MUST(mpc_block_detach(made.block) == MPC_OK);
    return 0;
  });
  ASSERT_EQ(mpc_block_detach(made.block), MPC_OK);
  talk->go.set(1);
  EXPECT_EQ(wait_for(child), 0);
}

TEST_P(BlockTest, WhatAForkedChildDetachesStaysItsParents) {
  Made made = make_block(100);
  EXPECT_EQ(wait_for(fork_and([&] {
              MUST(mpc_block_detach(made.block) == MPC_OK);
              MUST(mpc_block_detach(made.block) == MPC_EINVAL);
              return 0;
            })),
            0);
  EXPECT_EQ(try_to_attach(made.ref), MPC_OK);
  made.bytes[0] = 1;
  EXPECT_EQ(mpc_block_detach(made.block), MPC_OK);
}

MPC_PROGRAM(prints_a_ref) {
  mpc_block* block;
  mpc_ref ref;
  MUST(mpc_block_create(100, &block) == MPC_OK);
  MUST(mpc_block_ref(block, &ref) == MPC_OK);
  MUST(fwrite(&ref, sizeof ref, 1, stdout) == 1);
  return 0;
}

TEST_P(BlockTest, ABlockOfAnotherGroupIsRefused) {
  Ended ended = run_program("prints_a_ref");
  mpc_ref ref;
  ASSERT_EQ(ended.output.size(), sizeof ref);
  memcpy(&ref, ended.output.data(), sizeof ref);
  EXPECT_EQ(try_to_attach(ref), MPC_EGROUP);
  mpc_process_options options = process_options();
  options.refs = &ref;
  options.ref_count = 1;
  mpc_process* process = nullptr;
  EXPECT_EQ(mpc_process_create(nullptr, &options, &process), MPC_EGROUP);
}

}  // namespace
}  // namespace mpc::test
