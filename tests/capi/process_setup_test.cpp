// SPDX-License-Identifier: Apache-2.0
// What a child has when its function begins: as its creator had it at the start, and as was chosen.
#include "process_setup_test.hpp"

#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <functional>

namespace mpc::test {
namespace {

// What a child finds.
struct Seen {
  Count ready;
  char folder[512] = "";
  char environment[512] = "";  // the first few, each with a line end
  uint32_t umask = 0;
  uint64_t signals = 0;  // that are blocked
  rlimit files{};
  rlimit core{};
  cpu_set_t cpus{};
  int nice = 0;
  pid_t pid = 0;
  pid_t process_group = 0;
  pid_t session = 0;
};

int look_around(const void* argument, size_t, const mpc_ref*, size_t) {
  Seen* seen = argument_as<Seen*>(argument);
  if (getcwd(seen->folder, sizeof seen->folder) == nullptr) return 1;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    size_t used = strlen(seen->environment);
    snprintf(seen->environment + used, sizeof seen->environment - used, "%s\n", *entry);
  }
  seen->umask = umask(0);
  sigset_t blocked;
  pthread_sigmask(SIG_BLOCK, nullptr, &blocked);
  for (int signal = 1; signal < 32; ++signal) {
    if (sigismember(&blocked, signal) == 1) seen->signals |= uint64_t{1} << signal;
  }
  getrlimit(RLIMIT_NOFILE, &seen->files);
  getrlimit(RLIMIT_CORE, &seen->core);
  sched_getaffinity(0, sizeof seen->cpus, &seen->cpus);
  seen->nice = getpriority(PRIO_PROCESS, 0);
  seen->pid = getpid();
  seen->process_group = getpgrp();
  seen->session = getsid(0);
  return 0;
}

class ProcessSetupTest : public StartMethodTest {
 protected:
  // What a child finds that was made before, and started after, `change`, which returns how to take
  // it back.
  void look_after(const std::function<std::function<void()>()>& change) {
    Seen* page = seen_.get();
    mpc_process_options options = looking();
    mpc_process* process = make(look_around, options);
    std::function<void()> take_back = change();
    EXPECT_EQ(mpc_process_start(process), MPC_OK) << last_message();
    take_back();
    EXPECT_EQ(exit_code_of(process), 0);
    EXPECT_NE(page->pid, 0);
  }

  mpc_process_options looking() {
    page_ = seen_.get();
    mpc_process_options options = process_options();
    options.argument = &page_;
    options.argument_size = sizeof page_;
    return options;
  }

  const Seen& look(const mpc_process_options& options) {
    EXPECT_EQ(exit_code_of(start(look_around, options)), 0);
    return *seen_;
  }

  void TearDown() override {
    mpc_log_set(MPC_LOG_OFF, nullptr, nullptr);
    seen_.reset();
    StartMethodTest::TearDown();
  }
  void SetUp() override {
    StartMethodTest::SetUp();
    seen_.emplace();
  }

  struct OptionalPage {
    std::unique_ptr<GroupPage<Seen>> page;
    void emplace() { page = std::make_unique<GroupPage<Seen>>(); }
    void reset() { page.reset(); }
    Seen* get() const { return page->get(); }
    Seen* operator->() const { return page->get(); }
    Seen& operator*() const { return *page->get(); }
  };
  OptionalPage seen_;

 private:
  Seen* page_ = nullptr;
};
MPC_UNDER_EVERY_START_METHOD(ProcessSetupTest);

// --- as the creator has it at the start ----------------------------------------------------------

TEST_P(ProcessSetupTest, StartsInTheFolderThatItsCreatorIsInAtTheStart) {
  Folder folder;
  look_after([&]() -> std::function<void()> {
    std::string before = std::filesystem::current_path();
    EXPECT_EQ(chdir(folder.path().c_str()), 0);
    return [before] { EXPECT_EQ(chdir(before.c_str()), 0); };
  });
  EXPECT_EQ(seen_->folder, folder.path());
}

TEST_P(ProcessSetupTest, StartsWithTheEnvironmentThatItsCreatorHasAtTheStart) {
  char** before = environ;
  char word[] = "WORD=heard";
  char other[] = "OTHER=heard as well";
  char* entries[] = {word, other, nullptr};
  look_after([&]() -> std::function<void()> {
    environ = entries;
    return [before] { environ = before; };
  });
  EXPECT_STREQ(seen_->environment, "WORD=heard\nOTHER=heard as well\n");
}

TEST_P(ProcessSetupTest, StartsWithTheUmaskThatItsCreatorHasAtTheStart) {
  look_after([]() -> std::function<void()> {
    mode_t before = umask(0135);
    return [before] { umask(before); };
  });
  EXPECT_EQ(seen_->umask, 0135u);
}

TEST_P(ProcessSetupTest, StartsWithTheSignalMaskThatItsCreatorHasAtTheStart) {
  look_after([]() -> std::function<void()> {
    sigset_t mask;
    sigset_t before;
    sigemptyset(&mask);
    sigaddset(&mask, SIGWINCH);
    sigaddset(&mask, SIGUSR2);
    pthread_sigmask(SIG_SETMASK, &mask, &before);
    return [before] { pthread_sigmask(SIG_SETMASK, &before, nullptr); };
  });
  EXPECT_EQ(seen_->signals, uint64_t{1} << SIGWINCH | uint64_t{1} << SIGUSR2);
}

TEST_P(ProcessSetupTest, StartsWithTheLimitsThatItsCreatorHasAtTheStart) {
  rlimit before;
  getrlimit(RLIMIT_NOFILE, &before);
  rlimit lower{before.rlim_cur - 10, before.rlim_max};
  look_after([&]() -> std::function<void()> {
    setrlimit(RLIMIT_NOFILE, &lower);
    return [before] { setrlimit(RLIMIT_NOFILE, &before); };
  });
  EXPECT_EQ(seen_->files.rlim_cur, lower.rlim_cur);
  EXPECT_EQ(seen_->files.rlim_max, lower.rlim_max);
}

TEST_P(ProcessSetupTest, StartsWithTheAffinityThatItsCreatorHasAtTheStart) {
  cpu_set_t before;
  ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
  cpu_set_t one = before;
  for (size_t cpu = 0; CPU_COUNT(&one) > 1; ++cpu) CPU_CLR(cpu, &one);
  look_after([&]() -> std::function<void()> {
    EXPECT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
    return [before] { EXPECT_EQ(sched_setaffinity(0, sizeof before, &before), 0); };
  });
  EXPECT_TRUE(CPU_EQUAL(&seen_->cpus, &one));
}

// A program of its own: who has no right to cannot take it back.
MPC_PROGRAM(gets_nicer_before_the_start) {
  GroupPage<Seen> seen;
  Seen* page = seen.get();
  mpc_process_options options = MPC_PROCESS_OPTIONS_INIT;
  options.start_method = method_named(arguments.at(0));
  options.argument = &page;
  options.argument_size = sizeof page;
  // What a server of starts has is not what this process will have.
  mpc_process* first;
  MUST(mpc_process_create(look_around, &options, &first) == MPC_OK);
  MUST(mpc_process_start(first) == MPC_OK && mpc_process_join(first, MPC_FOREVER) == MPC_OK);
  int before = seen->nice;
  mpc_process* process;
  MUST(mpc_process_create(look_around, &options, &process) == MPC_OK);
  MUST(nice(3) != -1);
  MUST(mpc_process_start(process) == MPC_OK && mpc_process_join(process, MPC_FOREVER) == MPC_OK);
  MUST(seen->nice == std::min(before + 3, 19));
  return 0;
}

TEST_P(ProcessSetupTest, StartsWithTheNiceValueThatItsCreatorHasAtTheStart) {
  EXPECT_EQ(run_program("gets_nicer_before_the_start", {mpc_start_method_name(GetParam())}), 0);
}

// --- as was chosen -------------------------------------------------------------------------------

TEST_P(ProcessSetupTest, TheFolderCanBeChosenAndIsCopiedAtTheCreation) {
  Folder folder;
  std::string path = folder.path();
  mpc_process_options options = looking();
  options.working_directory = path.c_str();
  mpc_process* process = make(look_around, options);
  path = "nowhere";
  ASSERT_EQ(mpc_process_start(process), MPC_OK) << last_message();
  EXPECT_EQ(exit_code_of(process), 0);
  EXPECT_EQ(seen_->folder, folder.path());
}

TEST_P(ProcessSetupTest, AFolderIsRelativeToTheCreatorsAtTheStart) {
  Folder folder;
  std::filesystem::create_directory(folder.file("below"));
  mpc_process_options options = looking();
  options.working_directory = "below";
  mpc_process* process = make(look_around, options);
  EXPECT_EQ(mpc_process_start(process), MPC_ESYSTEM);
  EXPECT_NE(last_message().find("below"), std::string::npos) << last_message();
  std::string before = std::filesystem::current_path();
  ASSERT_EQ(chdir(folder.path().c_str()), 0);
  EXPECT_EQ(mpc_process_start(process), MPC_OK) << last_message();
  ASSERT_EQ(chdir(before.c_str()), 0);
  EXPECT_EQ(exit_code_of(process), 0);
  EXPECT_EQ(seen_->folder, folder.file("below"));
}

TEST_P(ProcessSetupTest, AChosenEnvironmentReplacesTheWhole) {
  char entry[] = "WORD=chosen";
  const char* entries[] = {entry, "EMPTY=", nullptr};
  mpc_process_options options = looking();
  options.environment = entries;
  mpc_process* process = make(look_around, options);
  entry[0] = 'x';
  entries[0] = nullptr;
  ASSERT_EQ(mpc_process_start(process), MPC_OK) << last_message();
  EXPECT_EQ(exit_code_of(process), 0);
  EXPECT_STREQ(seen_->environment, "WORD=chosen\nEMPTY=\n");
}

int change_environment(const void*, size_t, const mpc_ref*, size_t) {
  const char* word = getenv("WORD");
  return word != nullptr && strcmp(word, "chosen") == 0 && setenv("WORD", "changed", 1) == 0 &&
                 setenv("NEW", "1", 1) == 0 && strcmp(getenv("WORD"), "changed") == 0 &&
                 unsetenv("NEW") == 0
             ? 0
             : 1;
}

TEST_P(ProcessSetupTest, AChosenEnvironmentIsTheChildsToChange) {
  const char* entries[] = {"WORD=chosen", nullptr};
  mpc_process_options options = process_options();
  options.environment = entries;
  EXPECT_EQ(exit_code_of(start(change_environment, options)), 0);
}

TEST_P(ProcessSetupTest, AnEnvironmentMayBeEmpty) {
  const char* entries[] = {nullptr};
  mpc_process_options options = looking();
  options.environment = entries;
  EXPECT_STREQ(look(options).environment, "");
}

TEST_P(ProcessSetupTest, IsInItsCreatorsProcessGroupAndSessionUnlessChosen) {
  const Seen& seen = look(looking());
  EXPECT_EQ(seen.process_group, getpgrp());
  EXPECT_EQ(seen.session, getsid(0));
}

TEST_P(ProcessSetupTest, MayLeadAProcessGroupFromTheStartOn) {
  mpc_process_options options = looking();
  options.process_group = MPC_PROCESS_GROUP_NEW;
  mpc_process* process = start(look_around, options);
  // A server may have reaped it by now.
  pid_t group = getpgid(pid_of(process));
  EXPECT_TRUE(group == pid_of(process) || (GetParam() == MPC_START_FORKSERVER && group < 0));
  EXPECT_EQ(exit_code_of(process), 0);
  EXPECT_EQ(seen_->process_group, seen_->pid);
  EXPECT_EQ(seen_->session, getsid(0));
}

TEST_P(ProcessSetupTest, MayLeadASession) {
  mpc_process_options options = looking();
  options.process_group = MPC_PROCESS_GROUP_SESSION;
  const Seen& seen = look(options);
  EXPECT_EQ(seen.process_group, seen.pid);
  EXPECT_EQ(seen.session, seen.pid);
}

TEST_P(ProcessSetupTest, NiceIsAddedToTheCreators) {
  mpc_process_options options = looking();
  options.nice = 2;
  int before = getpriority(PRIO_PROCESS, 0);
  EXPECT_EQ(look(options).nice, before + 2 > 19 ? 19 : before + 2);
  EXPECT_EQ(getpriority(PRIO_PROCESS, 0), before);
}

TEST_P(ProcessSetupTest, LimitsCanBeChosen) {
  rlimit before;
  getrlimit(RLIMIT_NOFILE, &before);
  mpc_limit limits[] = {{RLIMIT_NOFILE, 0, before.rlim_cur - 7, before.rlim_max},
                        {RLIMIT_CORE, 0, 0, 0}};
  mpc_process_options options = looking();
  options.limits = limits;
  options.limit_count = 2;
  const Seen& seen = look(options);
  EXPECT_EQ(seen.files.rlim_cur, before.rlim_cur - 7);
  EXPECT_EQ(seen.files.rlim_max, before.rlim_max);
  EXPECT_EQ(seen.core.rlim_cur, 0u);
  EXPECT_EQ(seen.core.rlim_max, 0u);
}

TEST_P(ProcessSetupTest, CpusCanBeChosen) {
  cpu_set_t one;
  ASSERT_EQ(sched_getaffinity(0, sizeof one, &one), 0);
  for (size_t cpu = 0; CPU_COUNT(&one) > 1; ++cpu) CPU_CLR(cpu, &one);
  uint32_t last = 0;
  while (!CPU_ISSET(last, &one)) ++last;
  mpc_process_options options = looking();
  options.cpus = &last;
  options.cpu_count = 1;
  EXPECT_TRUE(CPU_EQUAL(&look(options).cpus, &one));
}

// --- what cannot be ------------------------------------------------------------------------------

TEST_P(ProcessSetupTest, WhatIsNotThereAtTheStartIsAnErrorAndCanBeTriedAgain) {
  Folder folder;
  std::string input = folder.file("input");
  mpc_process_options options = process_options();
  options.standard_input = stream_of(MPC_STDIO_FILE, input.c_str());
  options.standard_output = stream_of(MPC_STDIO_PIPE);
  options.standard_error = stream_of(MPC_STDIO_NULL);
  mpc_process* process = make(repeat_input, options);
  EXPECT_EQ(mpc_process_start(process), MPC_ESYSTEM);
  EXPECT_NE(last_message().find(input), std::string::npos) << last_message();
  EXPECT_NE(last_message().find("ENOENT"), std::string::npos) << last_message();
  folder.file("input", "now");
  ASSERT_EQ(mpc_process_start(process), MPC_OK) << last_message();
  EXPECT_EQ(read_all(pipe_of(process, 1)), "now");
  EXPECT_EQ(exit_code_of(process), 0);
}

TEST_P(ProcessSetupTest, ADescriptorThatWasClosedBeforeTheStartIsAnError) {
  int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
  mpc_descriptor descriptor = {fd, 20};
  mpc_process_options options = process_options();
  options.descriptors = &descriptor;
  options.descriptor_count = 1;
  mpc_process* process = make(speak, options);
  close(fd);
  EXPECT_EQ(mpc_process_start(process), MPC_ESYSTEM);
  EXPECT_NE(last_message().find("EBADF"), std::string::npos) << last_message();
}

TEST_P(ProcessSetupTest, ANumberThatNoDescriptorCanHaveIsAnError) {
  mpc_descriptor descriptor = {STDOUT_FILENO, INT32_MAX};
  mpc_process_options options = process_options();
  options.descriptors = &descriptor;
  options.descriptor_count = 1;
  EXPECT_EQ(mpc_process_start(make(speak, options)), MPC_ESYSTEM);
  EXPECT_NE(last_message().find("RLIMIT_NOFILE"), std::string::npos) << last_message();
}

void keep_line(mpc_log_level level, const char* line, void* user_data) {
  if (level == MPC_LOG_WARNING) *static_cast<std::string*>(user_data) += line;
}

TEST_P(ProcessSetupTest, WhatOnlyTheChildFindsOutEndsItWith255AndIsLogged) {
  uint32_t absent = 65535;
  mpc_process_options options = looking();
  options.name = "bound";
  options.cpus = &absent;
  options.cpu_count = 1;
  std::string line;
  mpc_process* process = start(look_around, options);
  mpc_log_set(MPC_LOG_WARNING, keep_line, &line);
  EXPECT_EQ(exit_code_of(process), 255);
  mpc_log_set(MPC_LOG_OFF, nullptr, nullptr);
  EXPECT_EQ(seen_->pid, 0) << "the function was called";
  EXPECT_EQ(line,
            "[WARNING/MainProcess] bound ended before its function was called: binding the child "
            "to its CPUs failed with EINVAL (22)");
}

TEST_P(ProcessSetupTest, TheReasonIsLoggedAlsoWhereNobodyJoins) {
  uint32_t absent = 65535;
  mpc_process_options options = looking();
  options.cpus = &absent;
  options.cpu_count = 1;
  std::string line;
  mpc_process* process = start(look_around, options);
  ASSERT_TRUE(ends_within(pid_of(process), kLongEnough));
  int exit_code = 0;
  EXPECT_EQ(mpc_process_exit_code(process, &exit_code), MPC_OK);
  mpc_log_set(MPC_LOG_WARNING, keep_line, &line);
  EXPECT_EQ(mpc_group_sweep(nullptr), MPC_OK);
  start(nullptr);
  mpc_log_set(MPC_LOG_OFF, nullptr, nullptr);
  EXPECT_NE(line.find("failed with EINVAL"), std::string::npos) << line;
}

}  // namespace
}  // namespace mpc::test
