// SPDX-License-Identifier: Apache-2.0
// Programs within the test program: what needs a process with nothing behind it (how a program
// ends, what holds from its first call on) is run in a fresh image of the same executable.
//
//   MPC_PROGRAM(prints_seven) {
//     MUST(mpc_group_join() == MPC_OK);
//     printf("7");
//     return 0;
//   }
//   EXPECT_EQ(run_program("prints_seven").output, "7");
//
// One that starts processes is run under each start method: ProgramTest (start_method_test.hpp).
#ifndef MPC_TESTS_SUPPORT_PROGRAM_HPP
#define MPC_TESTS_SUPPORT_PROGRAM_HPP

#include <sys/types.h>
#include <unistd.h>

#include <cstdio>
#include <ostream>
#include <string>
#include <vector>

#include <mpc/process.h>

namespace mpc::test {

using Arguments = std::vector<std::string>;
using Program = int (*)(const Arguments& arguments);

struct ProgramEntry {
  ProgramEntry(const char* name, Program program);
};

#define MPC_PROGRAM(name)                                                     \
  static int name##_program(const ::mpc::test::Arguments& arguments);         \
  static const ::mpc::test::ProgramEntry name##_entry(#name, name##_program); \
  static int name##_program([[maybe_unused]] const ::mpc::test::Arguments& arguments)

// What a program says and does when its own steps fail: the test that runs it then sees the text.
inline constexpr int kMustFailed = 99;
#define MUST(condition)                                                                          \
  do {                                                                                           \
    if (!(condition)) {                                                                          \
      fprintf(stderr, "%s:%d: %s is not so; last message: %s\n", __FILE__, __LINE__, #condition, \
              ::mpc::test::last_message().c_str());                                              \
      _exit(::mpc::test::kMustFailed);                                                           \
    }                                                                                            \
  } while (false)

// How a program ended and what it wrote.
struct Ended {
  int exit_code = 0;  // -N: by signal N
  std::string output;
  std::string errors;
  bool operator==(int code) const { return exit_code == code; }
};
std::ostream& operator<<(std::ostream& stream, const Ended& ended);

// A program that runs. Its output goes to files without a name, so that reading it waits for
// nobody whom the program leaves behind.
class RunningProgram {
 public:
  explicit RunningProgram(const char* name, const Arguments& arguments = {},
                          mpc_start_method method = MPC_START_DEFAULT);
  ~RunningProgram();
  RunningProgram(const RunningProgram&) = delete;
  RunningProgram& operator=(const RunningProgram&) = delete;

  pid_t pid() const { return pid_; }
  Ended wait();

 private:
  pid_t pid_;
  int output_;
  int errors_;
};

Ended run_program(const char* name, const Arguments& arguments = {},
                  mpc_start_method method = MPC_START_DEFAULT);

// Runs a program in this process; its exit code.
int call_program(const std::string& name, const Arguments& arguments);

// For main(): the exit code of the program that the arguments name; -1 if they name none.
int run_entry(int argc, char** argv);

// The message of the calling thread's last failed call.
std::string last_message();

}  // namespace mpc::test

#endif
