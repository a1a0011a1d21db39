// SPDX-License-Identifier: Apache-2.0
// What it costs to start a process and to join it, beside fork(), _exit() and waitpid().
#include <sys/wait.h>
#include <unistd.h>

#include <memory>
#include <vector>

#include <mpc/mpc.h>

#include "support/bench.hpp"

namespace {

int nothing(const void*, size_t, const mpc_ref*, size_t) { return 3; }

double median_time(int starts, void (*once)()) {
  std::vector<double> times;
  for (int i = 0; i < starts; i++) {
    const double begin = bench::now();
    once();
    times.push_back(1e6 * (bench::now() - begin));
  }
  return bench::sample_of(std::move(times)).median;
}

void start_raw() {
  const pid_t child = fork();
  bench::require(child >= 0, "fork failed");
  if (child == 0) _exit(3);
  int status = 0;
  bench::require(waitpid(child, &status, 0) == child, "waitpid failed");
  bench::require(WIFEXITED(status) && WEXITSTATUS(status) == 3, "another exit code");
}

void start_with_library() {
  mpc_process_options options = MPC_PROCESS_OPTIONS_INIT;
  options.start_method = MPC_START_FORK;
  mpc_process* process = nullptr;
  int exit_code = 0;
  bench::check(mpc_process_create(nothing, &options, &process), "create");
  bench::check(mpc_process_start(process), "start");
  bench::check(mpc_process_join(process, MPC_FOREVER), "join");
  bench::check(mpc_process_exit_code(process, &exit_code), "exit code");
  bench::check(mpc_process_destroy(process), "destroy");
  bench::require(exit_code == 3, "another exit code");
}

void body(const bench::Options& options) {
  const int starts = options.is_short ? 5 : 200;
  bench::Race race;
  // The library's memory and thread are in no way of the raw fork: it is measured in a process that
  // never uses the library.
  bench::Aside raw_process([starts] { return median_time(starts, start_raw); });
  const size_t raw = race.add([&] { return raw_process(); });
  const size_t library = race.add([starts] { return median_time(starts, start_with_library); });
#ifdef BENCH_PYTHON
  const size_t python = race.add([&options] {
    return bench::number_printed_by(
        {BENCH_PYTHON, BENCH_FOLDER "/process/cpython_fork.py", options.is_short ? "3" : "50"});
  });
#endif
  race.run(options.rounds());

  const bench::Sample limit = race.sample(raw);
  const bench::Sample ours = race.sample(library);
  const double ratio = ours.median / limit.median;
  bench::print_row("raw fork, _exit, waitpid", limit, "us");
  bench::print_row("libmpc fork: create, start, join, destroy", ours, "us");
  bench::print_row("libmpc fork / raw fork", {ratio, ratio, ratio}, "x", "at most 1.4 x",
                   ratio <= 1.4);
#ifdef BENCH_PYTHON
  bench::print_row("CPython multiprocessing, fork: start, join", race.sample(python), "us");
#else
  bench::print_missing("CPython multiprocessing, fork: start, join", "python3");
#endif
}

}  // namespace

int main(int argc, char** argv) {
  return bench::run(argc, argv, "Starting and joining a process", body);
}
