// SPDX-License-Identifier: Apache-2.0
// What the benchmarks share: facts about the machine, rounds in shuffled order, and rows
// `what | value unit | bar | met`. A figure never makes a benchmark fail; a wrong result does.
#ifndef MPC_TESTS_BENCH_SUPPORT_BENCH_HPP
#define MPC_TESTS_BENCH_SUPPORT_BENCH_HPP

#include <sys/types.h>

#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

namespace bench {

// A result that is not what it has to be; run() turns it into a failure of the program.
struct Wrong : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Throws Wrong with the message of the library's last failure if a status is one.
void check(int status, const char* what);
void require(bool holds, const char* what);

// Seconds on the monotonic clock.
double now();

struct Options {
  bool is_short = false;           // --short: small enough for every test run
  std::vector<std::string> names;  // arguments that are no options
  int rounds() const { return is_short ? 2 : 7; }
};

struct Sample {
  double median = 0;
  double min = 0;
  double max = 0;
};
Sample sample_of(std::vector<double> values);

// Measures in a process of its own, which is forked when this is made: neither the memory nor the
// threads of one contestant are in the way of another.
class Aside {
 public:
  explicit Aside(std::function<double()> measure);
  ~Aside();
  Aside(const Aside&) = delete;
  Aside& operator=(const Aside&) = delete;

  double operator()();

 private:
  int socket_ = -1;
  pid_t pid_ = -1;
};

// Contestants that are measured once a round each, in an order that changes from round to round.
// An unmeasured round goes before, to warm up.
class Race {
 public:
  // Returns the number under which sample() knows the contestant.
  size_t add(std::function<double()> measure);
  void run(int rounds);
  Sample sample(size_t contestant) const;

 private:
  struct Contestant {
    std::function<double()> measure;
    std::vector<double> values;
  };
  std::vector<Contestant> contestants_;
};

// Runs a program and returns the number that it prints; throws Wrong where it fails.
double number_printed_by(const std::vector<std::string>& command);

void print_row(const std::string& what, const Sample& sample, const std::string& unit);

// As above, with a bar. `limit_valid` says whether the limit that the bar refers to has proved
// itself; where it has not, neither met nor missed would mean anything.
void print_row(const std::string& what, const Sample& sample, const std::string& unit,
               const std::string& bar, bool met, bool limit_valid = true);

// A ratio to a limit without a bar of its own.
void print_share_of_limit(const std::string& what, double ratio, bool limit_valid);

void print_missing(const std::string& what, const std::string& missing);

// Reads the arguments, prints the machine's facts and runs `body`. To be returned from main().
int run(int argc, char** argv, const char* title, const std::function<void(const Options&)>& body);

}  // namespace bench

#endif
