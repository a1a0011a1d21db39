// SPDX-License-Identifier: Apache-2.0
#include "support/bench.hpp"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <numeric>
#include <random>
#include <utility>

#include <mpc/mpc.h>

namespace bench {
namespace {

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  return std::getline(file, line) ? line : "unknown";
}

std::string value_after(const std::string& path, const std::string& key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const size_t colon = line.find(':');
    if (line.rfind(key, 0) != 0 || colon == std::string::npos) continue;
    const size_t begin = line.find_first_not_of(" \t", colon + 1);
    return begin == std::string::npos ? "unknown" : line.substr(begin);
  }
  return "unknown";
}

void print_machine() {
  utsname system{};
  uname(&system);
  printf("cpu: %s, %ld online, %u for this process\n",
         value_after("/proc/cpuinfo", "model name").c_str(), sysconf(_SC_NPROCESSORS_ONLN),
         mpc_process_cpu_count());
  printf("memory: %s; transparent huge pages: %s\n",
         value_after("/proc/meminfo", "MemTotal").c_str(),
         first_line("/sys/kernel/mm/transparent_hugepage/enabled").c_str());
  printf("kernel: %s %s %s; clock: %s; load: %s\n", system.sysname, system.release, system.machine,
         first_line("/sys/devices/system/clocksource/clocksource0/current_clocksource").c_str(),
         first_line("/proc/loadavg").c_str());
  printf("libmpc %s; compiler: %s\n", mpc_library_version(), __VERSION__);
}

std::string rounded(double value) {
  char text[32];
  snprintf(text, sizeof(text), value >= 100 ? "%.0f" : value >= 10 ? "%.1f" : "%.3f", value);
  return text;
}

std::string text_of(const Sample& sample) {
  const std::string median = rounded(sample.median);
  if (sample.min == sample.max) return median;
  return median + " (" + rounded(sample.min) + "-" + rounded(sample.max) + ")";
}

template <class Call>
ssize_t uninterrupted(Call call) {
  ssize_t result = 0;
  do {
    result = call();
  } while (result < 0 && errno == EINTR);
  return result;
}

// Reports what came out of `body`: 0, or 1 where a result was wrong.
template <class Body>
int guarded(Body body) {
  try {
    body();
    return 0;
  } catch (const std::exception& error) {
    fprintf(stderr, "wrong: %s\n", error.what());
    return 1;
  }
}

}  // namespace

void check(int status, const char* what) {
  if (status >= 0) return;
  char message[512] = "";
  mpc_last_error_message(message, sizeof(message));
  throw Wrong(std::string(what) + ": " + message);
}

void require(bool holds, const char* what) {
  if (!holds) throw Wrong(what);
}

double now() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

Sample sample_of(std::vector<double> values) {
  require(!values.empty(), "nothing was measured");
  std::sort(values.begin(), values.end());
  const double median = (values[(values.size() - 1) / 2] + values[values.size() / 2]) / 2;
  return {median, values.front(), values.back()};
}

Aside::Aside(std::function<double()> measure) {
  int ends[2];
  require(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0, "no socket pair");
  fflush(stdout);
  pid_ = fork();
  require(pid_ >= 0, "no process");
  if (pid_ == 0) {
    close(ends[0]);
    // The end of the socket shows a parent's orderly end only: later children have copies of it.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int result = guarded([&] {
      char go = 0;
      while (uninterrupted([&] { return read(ends[1], &go, 1); }) == 1) {
        const double value = measure();
        require(write(ends[1], &value, sizeof(value)) == sizeof(value), "nobody listens");
      }
      // What the contestant started ends with it.
      measure = nullptr;
    });
    _exit(result);
  }
  close(ends[1]);
  socket_ = ends[0];
}

Aside::~Aside() {
  close(socket_);
  int status = 0;
  uninterrupted([&] { return waitpid(pid_, &status, 0); });
}

double Aside::operator()() {
  double value = 0;
  require(send(socket_, "", 1, MSG_NOSIGNAL) == 1, "a measuring process has ended");
  const ssize_t got = uninterrupted([&] { return read(socket_, &value, sizeof(value)); });
  require(got == sizeof(value), "a measuring process failed");
  return value;
}

size_t Race::add(std::function<double()> measure) {
  contestants_.push_back({std::move(measure), {}});
  return contestants_.size() - 1;
}

void Race::run(int rounds) {
  std::mt19937 shuffle(1);
  std::vector<size_t> order(contestants_.size());
  std::iota(order.begin(), order.end(), size_t{0});
  for (int round = 0; round <= rounds; round++) {
    std::shuffle(order.begin(), order.end(), shuffle);
    for (const size_t i : order) {
      const double value = contestants_[i].measure();
      if (round > 0) contestants_[i].values.push_back(value);
    }
  }
}

Sample Race::sample(size_t contestant) const {
  return sample_of(contestants_.at(contestant).values);
}

double number_printed_by(const std::vector<std::string>& command) {
  int ends[2];
  require(pipe(ends) == 0, "no pipe");
  std::vector<char*> arguments;
  for (const std::string& argument : command) {
    arguments.push_back(const_cast<char*>(argument.c_str()));
  }
  arguments.push_back(nullptr);
  const pid_t pid = fork();
  require(pid >= 0, "no process");
  if (pid == 0) {
    dup2(ends[1], STDOUT_FILENO);
    close(ends[0]);
    close(ends[1]);
    execvp(arguments[0], arguments.data());
    _exit(127);
  }
  close(ends[1]);
  std::string text;
  char part[256];
  ssize_t got = 0;
  while ((got = uninterrupted([&] { return read(ends[0], part, sizeof(part)); })) > 0) {
    text.append(part, static_cast<size_t>(got));
  }
  close(ends[0]);
  int status = 0;
  uninterrupted([&] { return waitpid(pid, &status, 0); });
  char* end = nullptr;
  const double number = strtod(text.c_str(), &end);
  if (status != 0 || end == text.c_str()) throw Wrong(command[0] + " failed");
  return number;
}

void print_row(const std::string& what, const Sample& sample, const std::string& unit) {
  printf("%s | %s %s | - | -\n", what.c_str(), text_of(sample).c_str(), unit.c_str());
}

void print_row(const std::string& what, const Sample& sample, const std::string& unit,
               const std::string& bar, bool met, bool limit_valid) {
  const char* verdict = !limit_valid ? "limit invalid" : met ? "met" : "missed";
  printf("%s | %s %s | %s | %s\n", what.c_str(), text_of(sample).c_str(), unit.c_str(), bar.c_str(),
         verdict);
}

void print_share_of_limit(const std::string& what, double ratio, bool limit_valid) {
  printf("%s | %s x | - | %s\n", what.c_str(), rounded(ratio).c_str(),
         limit_valid ? "-" : "limit invalid");
}

void print_missing(const std::string& what, const std::string& missing) {
  printf("%s | not measured: %s was not there when the build was configured | - | -\n",
         what.c_str(), missing.c_str());
}

int run(int argc, char** argv, const char* title, const std::function<void(const Options&)>& body) {
  Options options;
  for (int i = 1; i < argc; i++) {
    const std::string argument = argv[i];
    if (argument == "--short") {
      options.is_short = true;
    } else if (argument.rfind("--", 0) == 0) {
      fprintf(stderr, "usage: %s [--short] [FOLDER...]\n", argv[0]);
      return 2;
    } else {
      options.names.push_back(argument);
    }
  }
  printf("%s\n", title);
  print_machine();
  printf("%d rounds in shuffled order: median (min-max)%s\n", options.rounds(),
         options.is_short ? "; short, so that figures and verdicts mean nothing" : "");
  return guarded([&] {
    body(options);
    require(fflush(stdout) == 0, "the rows could not be written");
  });
}

}  // namespace bench
