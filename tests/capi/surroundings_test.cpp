// SPDX-License-Identifier: Apache-2.0
// What a child starts with, told by the child itself: the same under all four start methods.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "process_setup_test.hpp"
#include "support/start_method_test.hpp"
#include "support/watchdog.hpp"

namespace mpc::test {
namespace {

// The program's own files: one that an exec would close, and one that it would not.
constexpr int kClosedByExec = 77;
constexpr int kLeftByExec = 78;

std::string signals_that(bool (*wanted)(const struct sigaction&)) {
  std::string text;
  for (int signal = 1; signal < NSIG; ++signal) {
    struct sigaction action;
    if (sigaction(signal, nullptr, &action) == 0 && wanted(action)) {
      text += ' ' + std::to_string(signal);
    }
  }
  return text;
}

std::string limits() {
  std::string text;
  for (int resource = 0; resource < RLIM_NLIMITS; ++resource) {
    rlimit both;
    if (getrlimit(static_cast<__rlimit_resource_t>(resource), &both) != 0) continue;
    text += ' ' + std::to_string(both.rlim_cur) + '/' + std::to_string(both.rlim_max);
  }
  return text;
}

std::string cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) return " unknown";
  std::string text;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &set)) text += ' ' + std::to_string(cpu);
  }
  return text;
}

std::string blocked_signals() {
  sigset_t mask;
  pthread_sigmask(SIG_BLOCK, nullptr, &mask);
  std::string text;
  for (int signal = 1; signal < NSIG; ++signal) {
    if (sigismember(&mask, signal) == 1) text += ' ' + std::to_string(signal);
  }
  return text;
}

std::string input() {
  struct stat in;
  struct stat null;
  bool is_null = fstat(STDIN_FILENO, &in) == 0 && stat("/dev/null", &null) == 0 &&
                 in.st_rdev == null.st_rdev && S_ISCHR(in.st_mode);
  return is_null ? " /dev/null" : " another";
}

std::string own_files() {
  std::string text;
  for (int fd : {kClosedByExec, kLeftByExec}) {
    if (fcntl(fd, F_GETFD) >= 0) text += ' ' + std::to_string(fd);
  }
  return text;
}

bool is_handled(const struct sigaction& action) {
  return action.sa_handler != SIG_DFL && action.sa_handler != SIG_IGN;
}
bool is_ignored(const struct sigaction& action) { return action.sa_handler == SIG_IGN; }

std::string word_of(const char* name) {
  const char* value = getenv(name);
  return value == nullptr ? " unset" : std::string(" ") + value;
}

// A line a fact.
std::string surroundings() {
  char folder[4096] = "";
  mode_t mask = umask(0);
  umask(mask);
  return std::string("folder ") + getcwd(folder, sizeof folder) +                        //
         "\nset" + word_of("MPC_TEST_WORD") + "\nunset" + word_of("MPC_TEST_NO_WORD") +  //
         "\numask " + std::to_string(mask) +                                             //
         "\nnice " + std::to_string(getpriority(PRIO_PROCESS, 0)) +                      //
         "\nlimits" + limits() + "\ncpus" + cpus() + "\nblocked" + blocked_signals() +   //
         "\nignored" + signals_that(is_ignored) + "\nhandled" + signals_that(is_handled) +
         "\ninput" + input() + "\nfiles" + own_files() + "\n";
}

int tell() {
  std::string text = surroundings();
  return write(STDOUT_FILENO, text.data(), text.size()) == static_cast<ssize_t>(text.size()) ? 0
                                                                                             : 1;
}

int tell_as_function(const void*, size_t, const mpc_ref*, size_t) { return tell(); }

MPC_PROGRAM(tells_its_surroundings) {
  // The handler of the tests' watchdog is the program's own.
  watchdog_stop();
  signal(SIGALRM, SIG_DFL);
  return tell();
}

// All of it another than a process begins with, and than its fork server has.
void change_surroundings() {
  MUST(chdir("/usr") == 0);
  MUST(setenv("MPC_TEST_WORD", "heard", 1) == 0);
  MUST(unsetenv("MPC_TEST_NO_WORD") == 0);
  umask(0137);
  MUST(setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + 1) == 0);
  for (auto resource : {RLIMIT_NOFILE, RLIMIT_STACK, RLIMIT_CORE}) {
    rlimit both;
    MUST(getrlimit(resource, &both) == 0);
    both.rlim_cur = resource == RLIMIT_CORE ? 0 : both.rlim_cur / 2;
    MUST(setrlimit(resource, &both) == 0);
  }
  cpu_set_t set;
  MUST(sched_getaffinity(0, sizeof set, &set) == 0);
  for (int cpu = CPU_SETSIZE - 1; cpu >= 0 && CPU_COUNT(&set) > 1; --cpu) CPU_CLR(cpu, &set);
  MUST(sched_setaffinity(0, sizeof set, &set) == 0);
  sigset_t mask;
  sigemptyset(&mask);
  for (int blocked : {SIGWINCH, SIGRTMIN + 3}) sigaddset(&mask, blocked);
  MUST(pthread_sigmask(SIG_SETMASK, &mask, nullptr) == 0);
  signal(SIGUSR1, [](int) {});
  signal(SIGRTMIN + 1, [](int) {});
  for (int ignored : {SIGINT, SIGTSTP, SIGRTMIN + 2}) signal(ignored, SIG_IGN);
  MUST(dup3(STDERR_FILENO, kClosedByExec, O_CLOEXEC) >= 0);
  MUST(dup2(STDERR_FILENO, kLeftByExec) >= 0);
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  size_t at = text.find(from);
  MUST(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

// Takes a line of the text out, and puts another there.
std::string with_line(const std::string& text, const std::string& name, const std::string& line) {
  size_t begin = text.find("\n" + name) + 1;
  MUST(begin != 0);
  return text.substr(0, begin) + line + text.substr(text.find('\n', begin));
}

// What the creator has, but for what no child takes over.
std::string expected_of(mpc_start_method method, const std::string& handled_at_start) {
  std::string text = surroundings();
  text = replaced(text, "\nignored " + std::to_string(SIGINT), "\nignored");
  // A sanitizer's are there from the start of an image.
  bool is_image = method != MPC_START_FORK;
  text = with_line(text, "handled", "handled" + (is_image ? handled_at_start : std::string()));
  text = with_line(text, "input", "input /dev/null");
  return with_line(text, "files", method == MPC_START_FORK ? "files 77 78" : "files");
}

MPC_PROGRAM(has_a_child_that_tells_its_surroundings) {
  mpc_start_method method = static_cast<mpc_start_method>(std::stoi(arguments.at(0)));
  char self[4096] = "";
  MUST(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
  const char* program_arguments[] = {"--run-program", "tells_its_surroundings", nullptr};
  mpc_process_options options = MPC_PROCESS_OPTIONS_INIT;
  options.start_method = method;
  options.standard_output.kind = MPC_STDIO_PIPE;
  if (method == MPC_START_PROGRAM) {
    options.program = self;
    options.arguments = program_arguments;
  }
  auto child_says = [&] {
    mpc_process* process;
    MUST(mpc_process_create(method == MPC_START_PROGRAM ? nullptr : tell_as_function, &options,
                            &process) == MPC_OK);
    MUST(mpc_process_start(process) == MPC_OK);
    int output = -1;
    MUST(mpc_process_pipe(process, STDOUT_FILENO, &output) == MPC_OK);
    std::string text = read_all(output);
    MUST(mpc_process_join(process, MPC_FOREVER) == MPC_OK);
    MUST(mpc_process_destroy(process) == MPC_OK);
    return text;
  };
  auto handler = signal(SIGALRM, SIG_DFL);  // the watchdog's
  std::string handled_at_start = signals_that(is_handled);
  signal(SIGALRM, handler);
  // Whatever serves the starts begins with the old ones.
  MUST(!child_says().empty());
  change_surroundings();
  std::string expected = expected_of(method, handled_at_start);
  std::string said = child_says();
  if (said != expected) fprintf(stderr, "said:\n%sexpected:\n%s", said.c_str(), expected.c_str());
  return said == expected ? 0 : 1;
}

class SurroundingsTest : public testing::TestWithParam<mpc_start_method> {};

INSTANTIATE_TEST_SUITE_P(AllFourStartMethods, SurroundingsTest,
                         testing::Values(MPC_START_FORK, MPC_START_SPAWN, MPC_START_FORKSERVER,
                                         MPC_START_PROGRAM),
                         start_method_label);

TEST_P(SurroundingsTest, P17AChildStartsWithWhatItsCreatorHasAtTheStart) {
  Ended ended = run_program("has_a_child_that_tells_its_surroundings",
                            {std::to_string(static_cast<int>(GetParam()))});
  EXPECT_EQ(ended.exit_code, 0) << ended.errors;
}

}  // namespace
}  // namespace mpc::test
