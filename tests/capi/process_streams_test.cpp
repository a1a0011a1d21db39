// SPDX-License-Identifier: Apache-2.0
// The descriptors that a child begins with: its standard streams and those it is given besides.
#include <string.h>
#include <sys/stat.h>

#include "process_setup_test.hpp"

namespace mpc::test {
namespace {

class ProcessStreamsTest : public StartMethodTest {
 protected:
  // The output goes to a file that is there, the errors to one that is not.
  void expect_output_in_files(mpc_stdio_kind kind, const char* before, const char* after) {
    Folder folder;
    std::string output = folder.file("output", before);
    std::string errors = folder.file("errors");
    mpc_process_options options = process_options();
    options.standard_output = stream_of(kind, output.c_str());
    options.standard_error = stream_of(kind, errors.c_str());
    EXPECT_EQ(exit_code_of(start(speak, options)), 0);
    EXPECT_EQ(folder.text_of("output"), after);
    EXPECT_EQ(folder.text_of("errors"), "shouted");
  }
};
MPC_UNDER_EVERY_START_METHOD(ProcessStreamsTest);

// --- standard streams ----------------------------------------------------------------------------

TEST_P(ProcessStreamsTest, StandardInputIsDevNullUnlessChosen) {
  mpc_process_options options = process_options();
  options.standard_output = stream_of(MPC_STDIO_PIPE);
  mpc_process* process = start(repeat_input, options);
  EXPECT_EQ(exit_code_of(process), 0);
  EXPECT_EQ(read_all(pipe_of(process, 1)), "");
}

TEST_P(ProcessStreamsTest, StandardInputCanBeTheCreatorsOwn) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  int kept = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
  ASSERT_EQ(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
  ASSERT_EQ(write(ends[1], "mine", 4), 4);
  close(ends[1]);
  mpc_process_options options = process_options();
  options.standard_input = stream_of(MPC_STDIO_INHERIT);
  options.standard_output = stream_of(MPC_STDIO_PIPE);
  options.standard_error = stream_of(MPC_STDIO_NULL);
  mpc_process* process = start(repeat_input, options);
  dup2(kept, STDIN_FILENO);
  close(kept);
  close(ends[0]);
  EXPECT_EQ(read_all(pipe_of(process, 1)), "mine");
  EXPECT_EQ(exit_code_of(process), 0);
}

TEST_P(ProcessStreamsTest, PipesCarryWhatTheChildReadsAndWrites) {
  mpc_process_options options = process_options();
  options.standard_input = options.standard_output = options.standard_error =
      stream_of(MPC_STDIO_PIPE);
  mpc_process* process = start(repeat_input, options);
  int input = pipe_of(process, 0);
  ASSERT_EQ(write(input, "there and back", 14), 14);
  // The child's input ends here: it has no copy of this end.
  close(input);
  EXPECT_EQ(exit_code_of(process), 0);
  EXPECT_EQ(read_all(pipe_of(process, 1)), "there and back");
  EXPECT_EQ(read_all(pipe_of(process, 2)), "there and back");
}

TEST_P(ProcessStreamsTest, APipesEndInTheCreatorDoesNotSurviveAnExec) {
  mpc_process_options options = process_options();
  options.standard_output = stream_of(MPC_STDIO_PIPE);
  mpc_process* process = start(speak, options);
  int output = pipe_of(process, 1);
  EXPECT_EQ(fcntl(output, F_GETFD), FD_CLOEXEC);
  EXPECT_EQ(exit_code_of(process), 0);
  EXPECT_EQ(read_all(output), "spoken");
}

TEST_P(ProcessStreamsTest, APipeIsHandedOverOnceAndOnlyAfterTheStart) {
  mpc_process_options options = process_options();
  options.standard_output = stream_of(MPC_STDIO_PIPE);
  mpc_process* process = make(speak, options);
  int fd = -5;
  EXPECT_EQ(mpc_process_pipe(process, 1, &fd), MPC_ESTATE);
  ASSERT_EQ(mpc_process_start(process), MPC_OK) << last_message();
  EXPECT_EQ(mpc_process_pipe(process, 0, &fd), MPC_ESTATE);
  EXPECT_EQ(mpc_process_pipe(process, 2, &fd), MPC_ESTATE);
  EXPECT_EQ(mpc_process_pipe(process, 3, &fd), MPC_EINVAL);
  EXPECT_EQ(mpc_process_pipe(process, 1, nullptr), MPC_EINVAL);
  EXPECT_EQ(
      wait_for(fork_and([&] { return mpc_process_pipe(process, 1, &fd) == MPC_ECHILD ? 0 : 1; })),
      0);
  EXPECT_EQ(fd, -5);
  EXPECT_EQ(exit_code_of(process), 0);
  close(pipe_of(process, 1));
  EXPECT_EQ(mpc_process_pipe(process, 1, &fd), MPC_ESTATE);
}

TEST_P(ProcessStreamsTest, APipeThatNobodyAskedForIsClosedWithTheHandle) {
  mpc_process_options options = process_options();
  options.standard_input = stream_of(MPC_STDIO_PIPE);
  mpc_process* process = nullptr;
  ASSERT_EQ(mpc_process_create(repeat_input, &options, &process), MPC_OK);
  ASSERT_EQ(mpc_process_start(process), MPC_OK) << last_message();
  int32_t pid = pid_of(process);
  EXPECT_EQ(mpc_process_destroy(process), MPC_OK);
  EXPECT_TRUE(ends_within(pid, kLongEnough));
  // The next start reaps it and lets go of what was kept of it.
  EXPECT_EQ(exit_code_of(start(nullptr)), 0);
}

TEST_P(ProcessStreamsTest, OutputCanGoToAFileThatIsCreatedOrEmptied) {
  expect_output_in_files(MPC_STDIO_FILE, "what was there before, and more of it", "spoken");
}

TEST_P(ProcessStreamsTest, OutputCanBeAppendedToAFile) {
  expect_output_in_files(MPC_STDIO_APPEND, "before, ", "before, spoken");
}

TEST_P(ProcessStreamsTest, InputCanComeFromAFile) {
  Folder folder;
  std::string input = folder.file("input", "written down");
  mpc_process_options options = process_options();
  options.standard_input = stream_of(MPC_STDIO_FILE, input.c_str());
  options.standard_output = stream_of(MPC_STDIO_PIPE);
  options.standard_error = stream_of(MPC_STDIO_NULL);
  mpc_process* process = start(repeat_input, options);
  EXPECT_EQ(read_all(pipe_of(process, 1)), "written down");
  EXPECT_EQ(exit_code_of(process), 0);
}

TEST_P(ProcessStreamsTest, AFifoThatNobodyReadsIsAnErrorAndDoesNotWait) {
  Folder folder;
  std::string fifo = folder.file("fifo");
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  mpc_process_options options = process_options();
  options.standard_output = stream_of(MPC_STDIO_FILE, fifo.c_str());
  EXPECT_EQ(mpc_process_start(make(speak, options)), MPC_ESYSTEM);
  EXPECT_NE(last_message().find("ENXIO"), std::string::npos) << last_message();
}

TEST_P(ProcessStreamsTest, StreamsCanBeDescriptorsOfTheCreator) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  mpc_process_options options = process_options();
  options.standard_output = options.standard_error = stream_of(ends[1]);
  mpc_process* process = start(speak, options);
  close(ends[1]);
  EXPECT_EQ(read_all(ends[0]), "shoutedspoken");
  EXPECT_EQ(exit_code_of(process), 0);
}

int swap_streams(const void*, size_t, const mpc_ref*, size_t) {
  return dprintf(STDOUT_FILENO, "out;") == 4 && dprintf(STDERR_FILENO, "err;") == 4 ? 0 : 1;
}

TEST_P(ProcessStreamsTest, OutputAndErrorCanBeExchanged) {
  Folder folder;
  std::string one = folder.file("one");
  std::string two = folder.file("two");
  int kept[] = {fcntl(1, F_DUPFD_CLOEXEC, 3), fcntl(2, F_DUPFD_CLOEXEC, 3)};
  mpc_process_options options = process_options();
  options.standard_output = stream_of(STDERR_FILENO);
  options.standard_error = stream_of(STDOUT_FILENO);
  mpc_process* process = make(swap_streams, options);
  int first = open(one.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  int second = open(two.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  fflush(stdout);
  dup2(first, STDOUT_FILENO);
  dup2(second, STDERR_FILENO);
  mpc_status started = mpc_process_start(process);
  dup2(kept[0], STDOUT_FILENO);
  dup2(kept[1], STDERR_FILENO);
  for (int fd : {first, second, kept[0], kept[1]}) close(fd);
  ASSERT_EQ(started, MPC_OK) << last_message();
  EXPECT_EQ(exit_code_of(process), 0);
  EXPECT_EQ(folder.text_of("one"), "err;");
  EXPECT_EQ(folder.text_of("two"), "out;");
}

int read_a_line(const void*, size_t, const mpc_ref*, size_t) {
  char line[100] = "";
  return fgets(line, sizeof line, stdin) != nullptr && strcmp(line, "for the child\n") == 0 ? 0 : 1;
}

MPC_PROGRAM(has_read_ahead) {
  int ends[2];
  MUST(pipe2(ends, O_CLOEXEC) == 0 && dup2(ends[0], STDIN_FILENO) == STDIN_FILENO);
  MUST(write(ends[1], "first\nsecond\n", 13) == 13);
  char line[100];
  MUST(fgets(line, sizeof line, stdin) != nullptr);
  mpc_process_options options = MPC_PROCESS_OPTIONS_INIT;
  options.start_method = method_named(arguments.at(0));
  options.standard_input.kind = MPC_STDIO_PIPE;
  mpc_process* process;
  int input;
  int exit_code = -1;
  MUST(mpc_process_create(read_a_line, &options, &process) == MPC_OK);
  MUST(mpc_process_start(process) == MPC_OK);
  MUST(mpc_process_pipe(process, 0, &input) == MPC_OK);
  MUST(write(input, "for the child\n", 14) == 14);
  MUST(mpc_process_join(process, MPC_FOREVER) == MPC_OK);
  MUST(mpc_process_exit_code(process, &exit_code) == MPC_OK && exit_code == 0);
  MUST(fgets(line, sizeof line, stdin) != nullptr && strcmp(line, "second\n") == 0);
  return 0;
}

TEST_P(ProcessStreamsTest, WhatTheCreatorHasReadAheadIsNotInTheChildsInput) {
  EXPECT_EQ(run_program("has_read_ahead", {mpc_start_method_name(GetParam())}), 0);
}

// --- further descriptors -------------------------------------------------------------------------

TEST_P(ProcessStreamsTest, DescriptorsHaveTheNumbersThatWereChosen) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  mpc_descriptor descriptors[] = {{ends[1], 20}, {ends[1], 30}, {ends[1], ends[1]}};
  int32_t numbers[] = {20, 30, ends[1]};
  mpc_process_options options = process_options();
  options.descriptors = descriptors;
  options.descriptor_count = 3;
  options.argument = numbers;
  options.argument_size = sizeof numbers;
  mpc_process* process = start(write_numbers, options);
  EXPECT_EQ(fcntl(ends[1], F_GETFD), FD_CLOEXEC) << "the creator's own is touched";
  close(ends[1]);
  EXPECT_EQ(exit_code_of(process), 0);
  EXPECT_EQ(read_all(ends[0]), "20;30;" + std::to_string(ends[1]) + ";");
}

TEST_P(ProcessStreamsTest, DescriptorsCanBeExchanged) {
  int one[2];
  int two[2];
  ASSERT_EQ(pipe2(one, O_CLOEXEC), 0);
  ASSERT_EQ(pipe2(two, O_CLOEXEC), 0);
  mpc_descriptor descriptors[] = {{one[1], two[1]}, {two[1], one[1]}};
  int32_t numbers[] = {one[1], two[1]};
  mpc_process_options options = process_options();
  options.descriptors = descriptors;
  options.descriptor_count = 2;
  options.argument = numbers;
  options.argument_size = sizeof numbers;
  mpc_process* process = start(write_numbers, options);
  close(one[1]);
  close(two[1]);
  EXPECT_EQ(exit_code_of(process), 0);
  EXPECT_EQ(read_all(one[0]), std::to_string(two[1]) + ";");
  EXPECT_EQ(read_all(two[0]), std::to_string(one[1]) + ";");
}

int stay_open_over_an_exec(const void* argument, size_t, const mpc_ref*, size_t) {
  return fcntl(argument_as<int32_t>(argument), F_GETFD) == 0 ? 0 : 1;
}

TEST_P(ProcessStreamsTest, ADescriptorSurvivesAnExecOfTheChild) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  for (int32_t number : {21, int32_t{ends[1]}}) {
    mpc_descriptor descriptor = {ends[1], number};
    mpc_process_options options = process_options();
    options.descriptors = &descriptor;
    options.descriptor_count = 1;
    options.argument = &number;
    options.argument_size = sizeof number;
    EXPECT_EQ(exit_code_of(start(stay_open_over_an_exec, options)), 0);
  }
  close(ends[0]);
  close(ends[1]);
}

int wait_for_ever(const void*, size_t, const mpc_ref*, size_t) {
  for (;;) pause();
}

// Every number that the library may have in use is the child's for something else.
MPC_PROGRAM(gives_all_numbers_and_dies) {
  constexpr int32_t kNumbers = 60;
  mpc_process_options options = MPC_PROCESS_OPTIONS_INIT;
  options.start_method = method_named(arguments.at(0));
  mpc_process* process;
  for (int i = 0; i < 2; ++i) {  // from the second on what starts need is there
    MUST(mpc_process_create(nullptr, &options, &process) == MPC_OK);
    MUST(mpc_process_start(process) == MPC_OK);
    MUST(mpc_process_join(process, MPC_FOREVER) == MPC_OK);
  }
  std::vector<mpc_descriptor> descriptors;
  for (int32_t number = 3; number < kNumbers; ++number) descriptors.push_back({1, number});
  options.descriptors = descriptors.data();
  options.descriptor_count = descriptors.size();
  std::vector<int32_t> numbers = {3, 4, 5, 6, 7, 8, kNumbers - 1};
  options.argument = numbers.data();
  options.argument_size = numbers.size() * sizeof numbers[0];
  int exit_code = -1;
  MUST(mpc_process_create(write_numbers, &options, &process) == MPC_OK);
  MUST(mpc_process_start(process) == MPC_OK);
  MUST(mpc_process_join(process, MPC_FOREVER) == MPC_OK);
  MUST(mpc_process_exit_code(process, &exit_code) == MPC_OK && exit_code == 0);
  int32_t pid;
  MUST(mpc_process_create(wait_for_ever, &options, &process) == MPC_OK);
  MUST(mpc_process_start(process) == MPC_OK && mpc_process_pid(process, &pid) == MPC_OK);
  printf(" %d", pid);
  fflush(stdout);
  _exit(0);
}

TEST_P(ProcessStreamsTest, NumbersThatTheLibraryUsesItselfCanBeGivenAndTheTieToTheParentHolds) {
  Ended ended = run_program("gives_all_numbers_and_dies", {mpc_start_method_name(GetParam())});
  EXPECT_EQ(ended, 0);
  EXPECT_EQ(ended.output.substr(0, ended.output.find(' ')), "3;4;5;6;7;8;59;");
  int pid = atoi(ended.output.c_str() + ended.output.find(' '));
  ASSERT_GT(pid, 1);
  EXPECT_TRUE(ends_within(pid, kLongEnough));
}

}  // namespace
}  // namespace mpc::test
