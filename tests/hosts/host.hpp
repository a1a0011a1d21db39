// SPDX-License-Identifier: Apache-2.0
// A host: a program of its own, made difficult in one way, in which the library has to work and of
// which it has to leave everything as it found it.
//
//   MPC_PROGRAM(host_that_blocks_all_signals) {
//     Host host;
//     block_all_signals();
//     return host.use_library();
//   }
//   TEST(SignalHostTest, ...) { expect_works("host_that_blocks_all_signals"); }
#ifndef MPC_TESTS_HOSTS_HOST_HPP
#define MPC_TESTS_HOSTS_HOST_HPP

#include <errno.h>
#include <fenv.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include <map>
#include <string>

#include <mpc/mpc.h>

#include "support/group_page.hpp"
#include "support/program.hpp"
#include "support/start_method_test.hpp"
#include "support/wait.hpp"

namespace mpc::test {

// What a call of the library must leave as it is. Compared by what every system can tell, so that
// it can also be had where there is no /proc.
class HostState {
 public:
  // As it is now.
  static HostState now();
  // Ends the program, with a word on the first thing that is not as it was.
  void must_still_be() const;

 private:
  struct Descriptor {
    dev_t device;
    ino_t inode;
    int descriptor_flags;
    int file_flags;
    off_t offset;
    bool operator==(const Descriptor&) const = default;
  };
  std::map<int, Descriptor> descriptors_;
  std::map<int, struct sigaction> actions_;
  sigset_t mask_ = {};
  std::string directory_;
  std::string locale_;
  mode_t umask_ = 0;
  int rounding_ = 0;
  int traps_ = 0;
  long threads_ = 0;  // 0: cannot be told
};

// What the kernel still tells of a child that something else in the host reaps.
enum class ExitCodes { kTold, kPerhapsLost };

// Gives the program what a careless library would change: handlers, a locale, a rounding mode, a
// working directory. The condition comes after it, then the library.
class Host {
 public:
  Host();
  explicit Host(ExitCodes exit_codes) : Host() { exit_codes_ = exit_codes; }

  // All of the library, twice, and both times all is as before. The exit code of the program.
  int use_library() const;
  // The same once, without leaving the group. Not `alone`: others are in it.
  void use_group(bool alone = true) const;

 private:
  void map_under(mpc_start_method method) const;
  void start_under(mpc_start_method method, bool alone) const;
  void share_memory(bool alone) const;

  ExitCodes exit_codes_ = ExitCodes::kTold;
};

// The status of a call, which must have left errno alone.
#define KEEPS_ERRNO(call)       \
  [&] {                         \
    errno = EDOM;               \
    mpc_status status = (call); \
    MUST(errno == EDOM);        \
    return status;              \
  }()

// A map of 1,000 numbers over a pool; its results are checked.
void map_numbers(mpc_pool* pool);
// A map in which a worker dies in the hands of the only item.
void lose_a_worker(mpc_pool* pool);
mpc_pool* pool_of(uint32_t workers, mpc_start_method method = MPC_START_DEFAULT);
// Closed, joined and taken back.
void end_pool(mpc_pool* pool);

mpc_process* started(mpc_process_fn function,
                     const mpc_process_options& options = MPC_PROCESS_OPTIONS_INIT);
template <class T>
mpc_process* started_with(mpc_process_fn function, const T& argument) {
  mpc_process_options options = MPC_PROCESS_OPTIONS_INIT;
  options.argument = &argument;
  options.argument_size = sizeof argument;
  return started(function, options);
}
// Joins and takes the handle back; the exit code.
int ended(mpc_process* process);
mpc_group_stats stats_now();
uint64_t participants_now();

// For a host that the system does not let be as it should: the test is skipped, and says why.
[[noreturn]] void not_here(const std::string& why);

// The program ends with 0 and prints nothing.
void expect_works(const char* program, const Arguments& arguments = {});
// The same of a program of which this start method is the default.
void expect_works_under(mpc_start_method method, const char* program,
                        const Arguments& arguments = {});

// The base of tests of hosts that start processes besides those that use_library() starts: each
// start method is the default of the host in turn.
class HostTest : public testing::TestWithParam<mpc_start_method> {
 protected:
  static void expect_works(const char* program, const Arguments& arguments = {}) {
    expect_works_under(GetParam(), program, arguments);
  }
};

// Runs in whatever limits there are: the library works under every start method, or a call says
// clearly what is missing. True if it worked.
bool works_or_says_why();

// All of a file, "" where it cannot be read.
std::string file_text(const std::string& path);
bool write_file(const std::string& path, const std::string& text);

}  // namespace mpc::test

#endif
