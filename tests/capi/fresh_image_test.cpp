// SPDX-License-Identifier: Apache-2.0
// What is special to children that are no copies of their parent: which image they are, what of the
// parent's they have, and the fork server behind some of them.
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/start_method_test.hpp"

namespace mpc::test {
namespace {

class FreshImageTest : public StartMethodTest {
 protected:
  void SetUp() override {
    library_ = dlopen(MPC_TEST_LATE_LIBRARY, RTLD_NOW);
    ASSERT_NE(library_, nullptr) << dlerror();
    late_ = reinterpret_cast<mpc_process_fn>(dlsym(library_, "late_process"));
    ASSERT_NE(late_, nullptr);
    // There is a fork server for each image, also where a child has it made; what they take for
    // good is not counted.
    for (mpc_process_fn function : {late_, mpc_process_fn{nullptr}}) {
      mpc_process_options options = process_options();
      options.start_method = MPC_START_FORKSERVER;
      mpc_process* process;
      ASSERT_EQ(mpc_process_create(function, &options, &process), MPC_OK);
      ASSERT_EQ(mpc_process_start(process), MPC_OK) << last_message();
      ASSERT_EQ(mpc_process_join(process, MPC_FOREVER), MPC_OK);
      ASSERT_EQ(mpc_process_destroy(process), MPC_OK);
    }
    StartMethodTest::SetUp();
  }
  void* library_ = nullptr;
  mpc_process_fn late_ = nullptr;

  static bool is_fresh() { return GetParam() != MPC_START_FORK; }
};
MPC_UNDER_EVERY_START_METHOD(FreshImageTest);

int return_one(const void*, size_t, const mpc_ref*, size_t) { return 1; }

int look_for_the_ticket(const void*, size_t, const mpc_ref*, size_t) {
  return getenv("LIBMPC_START") == nullptr ? 0 : 1;
}

TEST_P(FreshImageTest, M12TheEnvironmentIsCleanWhenTheFunctionRuns) {
  EXPECT_EQ(exit_code_of(start(look_for_the_ticket)), 0);
}

// Asked for by a variable, so that it is done in the children of one test alone.
mpc_status early_status = MPC_OK;
[[gnu::constructor]] void use_the_library_early() {
  if (getenv("MPC_TEST_EARLY") != nullptr) early_status = mpc_group_join();
}

int tell_early_status(const void*, size_t, const mpc_ref*, size_t) { return -early_status; }

TEST_P(FreshImageTest, M12AConstructorOfTheProgramIsToldThatItIsTooEarly) {
  setenv("MPC_TEST_EARLY", "1", 1);
  int exit_code = exit_code_of(start(tell_early_status));
  unsetenv("MPC_TEST_EARLY");
  // A fork server was there before the variable, and its children have no constructors.
  EXPECT_EQ(exit_code, GetParam() == MPC_START_SPAWN ? -MPC_EBOOTSTRAP : 0);
}

TEST_P(FreshImageTest, CodeThatWasGeneratedIsRefusedWithTheWayOutUnlessItIsAFork) {
  void* page = mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(page, MAP_FAILED);
  mpc_process* process = make(reinterpret_cast<mpc_process_fn>(page), process_options());
  if (is_fresh()) {
    EXPECT_EQ(mpc_process_start(process), MPC_EFUNCTION);
    EXPECT_NE(last_message().find("fork"), std::string::npos) << last_message();
  }
  munmap(page, 4096);
}

struct Image {
  Count seen;
  char path[200] = "";
};

int tell_image(const void* argument, size_t, const mpc_ref*, size_t) {
  Image* image = argument_as<Image*>(argument);
  ssize_t n = readlink("/proc/self/exe", image->path, sizeof image->path - 1);
  image->path[n > 0 ? n : 0] = '\0';
  image->seen.add();
  return 0;
}

TEST_P(FreshImageTest, AFunctionOfTheProgramRunsInAnImageOfTheProgram) {
  GroupPage<Image> image;
  char own[200] = "";
  ASSERT_GT(readlink("/proc/self/exe", own, sizeof own - 1), 0);
  EXPECT_EQ(exit_code_of(start(tell_image, image.get())), 0);
  EXPECT_STREQ(image->path, own);
}

TEST_P(FreshImageTest, AFunctionOfASharedLibraryRunsInTheLeanHelper) {
  EXPECT_EQ(exit_code_of(start(late_)), is_fresh() ? 1 : 0) << "1: in mpc-worker";
}

int look_at_descriptors(const void* argument, size_t, const mpc_ref*, size_t) {
  int marked = argument_as<int>(argument);
  return fcntl(marked, F_GETFD) < 0 ? 0 : 1;
}

TEST_P(FreshImageTest, M12OnlyWhatIsGivenIsOpenUnlessItIsAFork) {
  int fd = dup(STDOUT_FILENO);  // not closed by an exec
  ASSERT_GT(fd, STDERR_FILENO);
  int high = fcntl(fd, F_DUPFD, 300);
  EXPECT_EQ(exit_code_of(start(look_at_descriptors, high)), is_fresh() ? 0 : 1);
  close(high);
  close(fd);
}

int start_another(const void* argument, size_t, const mpc_ref*, size_t) {
  mpc_process_options options = MPC_PROCESS_OPTIONS_INIT;
  options.start_method = argument_as<uint32_t>(argument);
  mpc_process* process;
  int exit_code = 99;
  if (mpc_process_create(return_one, &options, &process) != MPC_OK ||
      mpc_process_start(process) != MPC_OK || mpc_process_join(process, MPC_FOREVER) != MPC_OK ||
      mpc_process_exit_code(process, &exit_code) != MPC_OK) {
    return 98;
  }
  (void)mpc_process_destroy(process);
  return exit_code;
}

TEST_P(FreshImageTest, M21EveryMethodMayBeNestedInEveryOther) {
  for (mpc_start_method inner : start_methods()) {
    EXPECT_EQ(exit_code_of(start(start_another, static_cast<uint32_t>(inner))), 1)
        << mpc_start_method_name(inner);
  }
}

}  // namespace
}  // namespace mpc::test
