// SPDX-License-Identifier: Apache-2.0
// What it costs to start a process and to join it by the start methods that go another way than
// fork(), beside the least that this way can cost. Each contestant is a C program of its own: a
// fresh image and a fork server are images of the program that asks for them.
#include <string>
#include <vector>

#include "support/bench.hpp"

namespace {

constexpr double kBar = 1.3;
constexpr double kSame = 1.1;  // what counts as noise

struct Way {
  const char* method;  // of libmpc, and of CPython
  const char* what;    // is started
  const char* plain;   // what plain_start calls the limit
  const char* limit;   // in words
  int starts;          // a round
  double bar;
  bool in_python = true;  // CPython has it too
};
constexpr Way kWays[] = {
    {"forkserver", "a C function", "server", "limit: minimal C fork server", 300, kBar},
    {"spawn", "a C function", "image", "limit: posix_spawn, wait of a small C program", 100, kBar},
    {"program", "a C program", "image", "limit: posix_spawn, wait of that program", 100, kBar,
     false},
    {"fork", "a C function", "fork", "limit: raw fork of a C program without the library", 300, 1.4,
     false},
};

std::string number(int value) { return std::to_string(value); }

double plain(const char* way, int starts) {
  return bench::number_printed_by({PLAIN_START, way, number(starts), SMALL_PROGRAM});
}

double library(const char* method, int starts, int mebibytes) {
  std::vector<std::string> command{LIBRARY_START, method, number(starts), number(mebibytes)};
  if (std::string(method) == "program") command.push_back(SMALL_PROGRAM);
  return bench::number_printed_by(command);
}

struct Contestants {
  size_t limit = 0;
  size_t library = 0;
  size_t python = 0;
};

Contestants contestants_of(const Way& way, bool is_short, bench::Race& race) {
  const int starts = is_short ? 5 : way.starts;
  Contestants of;
  of.limit = race.add([&way, starts] { return plain(way.plain, starts); });
  of.library = race.add([&way, starts] { return library(way.method, starts, 0); });
#ifdef BENCH_PYTHON
  if (way.in_python) {
    of.python = race.add([&way, is_short] {
      return bench::number_printed_by({BENCH_PYTHON, BENCH_FOLDER "/process/cpython_start.py",
                                       way.method, is_short ? "2" : "20"});
    });
  }
#endif
  return of;
}

void print_ratio(const std::string& what, double ratio, double most, bool limit_valid) {
  const std::string bar = "at most " + std::to_string(most).substr(0, 3) + " x";
  bench::print_row(what, {ratio, ratio, ratio}, "x", bar, ratio <= most, limit_valid);
}

void print_python(const bench::Race& race, const Way& way, size_t contestant) {
  if (!way.in_python) return;
  const std::string what = std::string("CPython multiprocessing, ") + way.method + ": start, join";
#ifdef BENCH_PYTHON
  bench::print_row(what, race.sample(contestant), "us");
#else
  (void)race, (void)contestant;
  bench::print_missing(what, "python3");
#endif
}

void body(const bench::Options& options) {
  // A server's price does not depend on who asks; a short run does not need the proof.
  const int large = options.is_short ? 16 : 1024;
  const int starts = options.is_short ? 5 : kWays[0].starts;
  bench::Race race;
  std::vector<Contestants> contestants;
  for (const Way& way : kWays) contestants.push_back(contestants_of(way, options.is_short, race));
  const size_t fork = race.add([starts] { return plain("fork", starts); });
  const size_t with_memory =
      race.add([starts, large] { return library("forkserver", starts, large); });
  race.run(options.rounds());

  bench::print_row("raw fork, _exit, waitpid", race.sample(fork), "us");
  for (size_t i = 0; i < contestants.size(); i++) {
    const Way& way = kWays[i];
    const bench::Sample limit = race.sample(contestants[i].limit);
    const bench::Sample ours = race.sample(contestants[i].library);
    const bool is_server = std::string(way.plain) == "server";
    // A server that we wrote ourselves has to be worth its name.
    const double share = limit.median / race.sample(fork).median;
    const bool valid = !is_server || share <= 2;
    const std::string name = std::string("libmpc ") + way.method;
    bench::print_row(way.limit, limit, "us");
    if (is_server) print_ratio("that fork server / raw fork", share, 2, true);
    bench::print_row(name + ": create, start, join, destroy of " + way.what, ours, "us");
    print_ratio(name + " / limit", ours.median / limit.median, way.bar, valid);
    if (is_server) {
      const bench::Sample loaded = race.sample(with_memory);
      bench::print_row(name + " from a parent with " + number(large) + " MiB resident", loaded,
                       "us");
      print_ratio("with that memory / without", loaded.median / ours.median, kSame, true);
    }
    print_python(race, way, contestants[i].python);
  }
}

}  // namespace

int main(int argc, char** argv) {
  return bench::run(argc, argv, "Starting and joining by another process or image", body);
}
