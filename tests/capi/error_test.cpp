// SPDX-License-Identifier: Apache-2.0
// Statuses, messages, versions, deadlines: what every call has in common.
#include <gtest/gtest.h>
#include <string.h>

#include <atomic>
#include <set>
#include <string>
#include <thread>

#include <mpc/mpc.h>

#include "support/start_method_test.hpp"
#include "support/wait.hpp"

namespace mpc::test {
namespace {

// --- statuses ------------------------------------------------------------------------------------

TEST(StatusTest, EveryStatusHasItsNameAndAText) {
  struct {
    mpc_status status;
    int number;
    const char* name;
  } all[] = {
      {MPC_OK, 0, "MPC_OK"},
      {MPC_EINVAL, -1, "MPC_EINVAL"},
      {MPC_ENOMEM, -2, "MPC_ENOMEM"},
      {MPC_EINTERNAL, -3, "MPC_EINTERNAL"},
      {MPC_ESYSTEM, -4, "MPC_ESYSTEM"},
      {MPC_ETIMEDOUT, -5, "MPC_ETIMEDOUT"},
      {MPC_ECLOSED, -6, "MPC_ECLOSED"},
      {MPC_ESTALE, -7, "MPC_ESTALE"},
      {MPC_EGROUP, -8, "MPC_EGROUP"},
      {MPC_ELAYOUT, -9, "MPC_ELAYOUT"},
      {MPC_EEXHAUSTED, -10, "MPC_EEXHAUSTED"},
      {MPC_EPARTICIPANTS, -11, "MPC_EPARTICIPANTS"},
      {MPC_ESTATE, -12, "MPC_ESTATE"},
      {MPC_ECHILD, -13, "MPC_ECHILD"},
      {MPC_EWORKER_LOST, -14, "MPC_EWORKER_LOST"},
      {MPC_ETASK, -15, "MPC_ETASK"},
      {MPC_ETERMINATED, -16, "MPC_ETERMINATED"},
      {MPC_E2BIG, -17, "MPC_E2BIG"},
      {MPC_EVERSION, -18, "MPC_EVERSION"},
      {MPC_ENOTSUP, -19, "MPC_ENOTSUP"},
      {MPC_EBOOTSTRAP, -20, "MPC_EBOOTSTRAP"},
      {MPC_EFUNCTION, -21, "MPC_EFUNCTION"},
  };
  std::set<std::string> texts;
  for (const auto& each : all) {
    EXPECT_EQ(static_cast<int>(each.status), each.number) << each.name;
    EXPECT_STREQ(mpc_status_name(each.status), each.name);
    EXPECT_TRUE(texts.insert(mpc_status_text(each.status)).second) << "the text is another's";
  }
  EXPECT_EQ(texts.count(""), 0u);
}

TEST(StatusTest, ANumberThatIsNoStatusHasAPlaceholder) {
  for (int number : {1, -99, 1000, INT32_MIN, INT32_MAX}) {
    EXPECT_STREQ(mpc_status_name(static_cast<mpc_status>(number)), "MPC_E?");
    EXPECT_STRNE(mpc_status_text(static_cast<mpc_status>(number)), "");
  }
}

// --- messages ------------------------------------------------------------------------------------

void fail_in_a_known_way() {
  void* address;
  ASSERT_EQ(mpc_group_alloc(0, &address), MPC_EINVAL);
}

TEST(LastErrorMessageTest, IsOneLineThatSaysWhatToDo) {
  fail_in_a_known_way();
  EXPECT_EQ(last_message(), "a block of 0 bytes; ask for at least 1");
}

TEST(LastErrorMessageTest, IsLeftAloneByACallThatSucceeds) {
  fail_in_a_known_way();
  std::string before = last_message();
  void* address;
  ASSERT_EQ(mpc_group_alloc(10, &address), MPC_OK);
  ASSERT_EQ(mpc_group_free(address), MPC_OK);
  ASSERT_EQ(mpc_block_detach(nullptr), MPC_OK);
  EXPECT_EQ(last_message(), before);
}

TEST(LastErrorMessageTest, IsTheCallingThreadsOwn) {
  fail_in_a_known_way();
  std::string before = last_message();
  std::thread other([] {
    EXPECT_EQ(last_message(), "");
    EXPECT_EQ(mpc_last_error_message(nullptr, 0), 0u);
    EXPECT_EQ(mpc_group_free(reinterpret_cast<void*>(64)), MPC_EINVAL);
    EXPECT_NE(last_message(), "");
  });
  other.join();
  EXPECT_EQ(last_message(), before);
}

TEST(LastErrorMessageTest, IsCutWhereTheBufferIsTooSmallAndItsLengthIsToldWhole) {
  fail_in_a_known_way();
  std::string whole = last_message();
  char buffer[8];
  memset(buffer, '#', sizeof buffer);
  EXPECT_EQ(mpc_last_error_message(buffer, 5), whole.size());
  EXPECT_EQ(std::string(buffer, 8), whole.substr(0, 4) + '\0' + "###");
  EXPECT_EQ(mpc_last_error_message(buffer, 1), whole.size());
  EXPECT_STREQ(buffer, "");
  memset(buffer, '#', sizeof buffer);
  EXPECT_EQ(mpc_last_error_message(buffer, 0), whole.size());
  EXPECT_EQ(buffer[0], '#');
  EXPECT_EQ(mpc_last_error_message(nullptr, 0), whole.size());
}

// --- versions ------------------------------------------------------------------------------------

TEST(LibraryCheckTest, TheHeadersOfThisLibraryFit) {
  EXPECT_EQ(mpc_library_check(LIBMPC_VERSION_NUMBER), MPC_OK);
  EXPECT_STREQ(mpc_library_version(), LIBMPC_VERSION_STRING);
}

TEST(LibraryCheckTest, AnotherPatchOfTheSameMinorVersionFits) {
  EXPECT_EQ(mpc_library_check(uint32_t{LIBMPC_VERSION_NUMBER} | 0xff), MPC_OK);
  EXPECT_EQ(mpc_library_check(uint32_t{LIBMPC_VERSION_NUMBER} & ~0xffu), MPC_OK);
}

TEST(LibraryCheckTest, AnotherMinorOrMajorVersionDoesNotFitAndIsNamed) {
  uint32_t number = LIBMPC_VERSION_NUMBER;
  EXPECT_EQ(mpc_library_check(number + 0x100), MPC_EVERSION);
  EXPECT_EQ(mpc_library_check(number + 0x10000), MPC_EVERSION);
  EXPECT_EQ(mpc_library_check(0x090807), MPC_EVERSION);
  EXPECT_NE(last_message().find("9.8.7"), std::string::npos) << last_message();
  EXPECT_NE(last_message().find(LIBMPC_VERSION_STRING), std::string::npos) << last_message();
}

// --- deadlines -----------------------------------------------------------------------------------

TEST(DeadlineHelperTest, ForeverStaysForever) {
  EXPECT_EQ(mpc_deadline_after(MPC_FOREVER), MPC_FOREVER);
  EXPECT_EQ(mpc_deadline_left(MPC_FOREVER), MPC_FOREVER);
}

TEST(DeadlineHelperTest, WhatIsPastHasNothingLeftAndIsNeverForever) {
  for (int64_t timeout : {int64_t{0}, int64_t{-2}, -MPC_SECONDS(100), INT64_MIN}) {
    EXPECT_EQ(mpc_deadline_left(mpc_deadline_after(timeout)), 0) << timeout;
  }
}

TEST(DeadlineHelperTest, WhatIsAheadIsLeftAndGetsLess) {
  int64_t deadline = mpc_deadline_after(MPC_SECONDS(100));
  int64_t left = mpc_deadline_left(deadline);
  EXPECT_GT(left, MPC_SECONDS(50));
  EXPECT_LE(left, MPC_SECONDS(100));
  EXPECT_LE(mpc_deadline_left(deadline), left);
}

TEST(DeadlineHelperTest, TheLongestTimeoutDoesNotWrapRound) {
  EXPECT_GT(mpc_deadline_left(mpc_deadline_after(INT64_MAX)), MPC_SECONDS(1'000'000'000));
}

// --- buffers -------------------------------------------------------------------------------------

TEST(BufferTest, FreeingNothingIsFine) {
  mpc_buffer_free(nullptr);
  mpc_buffer buffer = {nullptr, 0};
  mpc_buffer_free(&buffer);
  EXPECT_EQ(buffer.data, nullptr);
}

// --- log -----------------------------------------------------------------------------------------

class LogTest : public ProgramTest {};
MPC_UNDER_EVERY_START_METHOD(LogTest);

MPC_PROGRAM(says_nothing) {
  mpc_process* process;
  MUST(mpc_process_create(nullptr, nullptr, &process) == MPC_OK);
  MUST(mpc_process_start(process) == MPC_OK);
  MUST(mpc_process_start(process) == MPC_ESTATE);
  MUST(mpc_process_join(process, MPC_FOREVER) == MPC_OK);
  return 0;
}

TEST_P(LogTest, TheLibraryPrintsNothingByItself) {
  Ended ended = run_program("says_nothing");
  EXPECT_EQ(ended, 0);
  EXPECT_EQ(ended.output + ended.errors, "");
}

MPC_PROGRAM(logs) {
  MUST(mpc_log_set(MPC_LOG_INFO, nullptr, nullptr) == MPC_OK);
  mpc_process_options options = MPC_PROCESS_OPTIONS_INIT;
  options.name = "told of";
  mpc_process* process;
  MUST(mpc_process_create(nullptr, &options, &process) == MPC_OK);
  MUST(mpc_process_start(process) == MPC_OK);
  int32_t pid;
  MUST(mpc_process_pid(process, &pid) == MPC_OK);
  MUST(mpc_process_join(process, MPC_FOREVER) == MPC_OK);
  printf("[INFO/MainProcess] started told of as process %d\n", pid);
  MUST(mpc_log_set(MPC_LOG_OFF, nullptr, nullptr) == MPC_OK);
  MUST(mpc_process_create(nullptr, nullptr, &process) == MPC_OK);
  MUST(mpc_process_start(process) == MPC_OK);
  MUST(mpc_process_join(process, MPC_FOREVER) == MPC_OK);
  return 0;
}

TEST_P(LogTest, LinesGoToStandardErrorInPythonsForm) {
  Ended ended = run_program("logs");
  EXPECT_EQ(ended, 0);
  EXPECT_EQ(ended.errors, ended.output);
}

TEST_P(LogTest, LinesGoToAFunctionThatAskedForThem) {
  std::string lines;
  auto keep = [](mpc_log_level level, const char* line, void* user_data) {
    *static_cast<std::string*>(user_data) += std::to_string(level) + line + ";";
  };
  ASSERT_EQ(mpc_log_set(MPC_LOG_INFO, keep, &lines), MPC_OK);
  mpc_process_options options = MPC_PROCESS_OPTIONS_INIT;
  options.start_method = GetParam();
  mpc_process* process;
  ASSERT_EQ(mpc_process_create(nullptr, &options, &process), MPC_OK);
  ASSERT_EQ(mpc_process_set_name(process, "seen"), MPC_OK);
  ASSERT_EQ(mpc_process_start(process), MPC_OK);
  ASSERT_EQ(mpc_log_set(MPC_LOG_OFF, nullptr, nullptr), MPC_OK);
  ASSERT_EQ(mpc_process_join(process, MPC_FOREVER), MPC_OK);
  EXPECT_EQ(mpc_process_destroy(process), MPC_OK);
  EXPECT_EQ(lines.find("20[INFO/MainProcess] started seen as process "), 0u) << lines;
}

// Who is told of a start may wait for another thread, whatever that one asks of the library.
MPC_PROGRAM(terminates_a_pool_when_told_of_its_first_worker) {
  static mpc_pool* pool;
  static std::atomic<bool> told{false};
  auto terminate_it = [](mpc_log_level, const char*, void*) {
    if (!told.exchange(true)) std::thread([] { (void)mpc_pool_terminate(pool); }).join();
  };
  mpc_pool_options options = MPC_POOL_OPTIONS_INIT;
  options.workers = 2;
  MUST(mpc_pool_create(&options, &pool) == MPC_OK);
  MUST(mpc_log_set(MPC_LOG_INFO, terminate_it, nullptr) == MPC_OK);
  auto nothing = [](const void*, void*) { return 0; };
  MUST(mpc_pool_map(pool, nothing, nullptr, 10, 0, nullptr, 0, nullptr) == MPC_ETERMINATED);
  MUST(told.load());
  MUST(mpc_log_set(MPC_LOG_OFF, nullptr, nullptr) == MPC_OK);
  MUST(mpc_pool_destroy(pool) == MPC_OK);
  return 0;
}

TEST_P(LogTest, NoLockIsHeldWhileTheStartOfAWorkerIsTold) {
  EXPECT_EQ(run_program("terminates_a_pool_when_told_of_its_first_worker"), 0);
}

TEST(LogLevelTest, ANumberThatIsNoLevelIsRefused) {
  EXPECT_EQ(mpc_log_set(static_cast<mpc_log_level>(15), nullptr, nullptr), MPC_EINVAL);
}

}  // namespace
}  // namespace mpc::test
