// SPDX-License-Identifier: Apache-2.0
#include "support/program.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <map>

#include "support/watchdog.hpp"

namespace mpc::test {
namespace {

constexpr const char* kRunProgram = "--run-program";
constexpr const char* kUnder = "--under-start-method";

// Not destroyed: programs leave by exit() as well.
std::map<std::string, Program>& programs() {
  static auto* programs = new std::map<std::string, Program>;
  return *programs;
}

std::string contents(int fd) {
  std::string text;
  char buffer[4096];
  ssize_t n;
  while ((n = pread(fd, buffer, sizeof buffer, static_cast<off_t>(text.size()))) > 0) {
    text.append(buffer, static_cast<size_t>(n));
  }
  close(fd);
  return text;
}

}  // namespace

ProgramEntry::ProgramEntry(const char* name, Program program) { programs()[name] = program; }

std::ostream& operator<<(std::ostream& stream, const Ended& ended) {
  return stream << "exit code " << ended.exit_code << ", output \"" << ended.output
                << "\", errors \"" << ended.errors << '"';
}

RunningProgram::RunningProgram(const char* name, const Arguments& arguments,
                               mpc_start_method method)
    : output_(memfd_create("output", MFD_CLOEXEC)), errors_(memfd_create("errors", MFD_CLOEXEC)) {
  // By its name, so that it knows it itself where /proc is not mounted.
  char path[4096] = "";
  (void)!readlink("/proc/self/exe", path, sizeof path - 1);
  std::vector<std::string> words = {path, kRunProgram, name};
  if (method != MPC_START_DEFAULT) words.insert(words.end(), {kUnder, std::to_string(method)});
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  pid_ = fork();
  if (pid_ != 0) return;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
  dup2(nothing, STDIN_FILENO);
  dup2(output_, STDOUT_FILENO);
  dup2(errors_, STDERR_FILENO);
  // What the test runner has open, such as a log that it goes on writing, is none of the program's.
  syscall(SYS_close_range, 3, ~0u, 0);
  execv(argv[0], argv.data());
  _exit(kMustFailed);
}

RunningProgram::~RunningProgram() {
  if (pid_ <= 0) return;
  kill(pid_, SIGKILL);
  wait();
}

Ended RunningProgram::wait() {
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = 0;
  Ended ended;
  ended.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  ended.output = contents(output_);
  ended.errors = contents(errors_);
  return ended;
}

Ended run_program(const char* name, const Arguments& arguments, mpc_start_method method) {
  return RunningProgram(name, arguments, method).wait();
}

int run_entry(int argc, char** argv) {
  if (argc < 3 || strcmp(argv[1], kRunProgram) != 0) return -1;
  // Shorter than the watchdog of the test that runs it, which would not know where it hangs.
  watchdog_start(kWatchdogSeconds - 30);
  return call_program(argv[2], Arguments(argv + 3, argv + argc));
}

int call_program(const std::string& name, const Arguments& arguments) {
  auto found = programs().find(name);
  if (found == programs().end()) {
    fprintf(stderr, "there is no program %s\n", name.c_str());
    return kMustFailed;
  }
  return found->second(arguments);
}

}  // namespace mpc::test
