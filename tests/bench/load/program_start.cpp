// SPDX-License-Identifier: Apache-2.0
// What the library costs a program that links it and does not use it: the time from posix_spawn()
// to the end of an empty program, with it and without.
#include <spawn.h>
#include <sys/wait.h>

#include <vector>

#include "support/bench.hpp"

extern char** environ;

namespace {

double median_start(const char* program, int starts) {
  std::vector<double> times;
  for (int i = 0; i < starts; i++) {
    char* arguments[] = {const_cast<char*>(program), nullptr};
    pid_t child = 0;
    int status = 0;
    const double begin = bench::now();
    bench::require(posix_spawn(&child, program, nullptr, nullptr, arguments, environ) == 0,
                   "cannot start the empty program");
    bench::require(waitpid(child, &status, 0) == child, "waitpid failed");
    times.push_back(1e6 * (bench::now() - begin));
    bench::require(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the empty program failed");
  }
  return bench::sample_of(std::move(times)).median;
}

void body(const bench::Options& options) {
  const int starts = options.is_short ? 10 : 300;
  bench::Race race;
  const size_t without = race.add([starts] { return median_start(PROGRAM_WITHOUT, starts); });
  const size_t with = race.add([starts] { return median_start(PROGRAM_WITH, starts); });
  race.run(options.rounds());

  const double ratio = race.sample(with).median / race.sample(without).median;
  bench::print_row("empty program", race.sample(without), "us");
  bench::print_row("empty program that links libmpc", race.sample(with), "us");
  bench::print_row("with libmpc / without", {ratio, ratio, ratio}, "x", "at most 1.15 x",
                   ratio <= 1.15);
}

}  // namespace

int main(int argc, char** argv) {
  return bench::run(argc, argv, "Starting a program that links the library", body);
}
