// SPDX-License-Identifier: Apache-2.0
#include "started.hpp"

#include <unistd.h>

#include <climits>
#include <cstring>

namespace kill_tests {
namespace {

constexpr const char* kFlag = "--started";
constexpr int kNotBegun = 105;

const Started* first = nullptr;

const char* own_path() {
  static char path[PATH_MAX];
  if (path[0] == '\0') (void)!readlink("/proc/self/exe", path, sizeof path - 1);
  return path;
}

}  // namespace

Started::Started(const char* of_name, mpc_process_fn of_function)
    : name(of_name), function(of_function), next(first) {
  first = this;
}

mpc_status create(const Started& started, mpc_process_options options, mpc_process** out_process) {
  if (options.start_method != MPC_START_PROGRAM) {
    return mpc_process_create(started.function, &options, out_process);
  }
  const char* arguments[] = {kFlag, started.name, nullptr};
  options.program = own_path();
  options.arguments = arguments;
  return mpc_process_create(nullptr, &options, out_process);
}

int run_started(int argc, char** argv) {
  if (argc != 3 || strcmp(argv[1], kFlag) != 0) return -1;
  const void* argument;
  const mpc_ref* refs;
  size_t size;
  size_t count;
  // Its parent may be dead by now: that is no fault.
  if (mpc_program_begin(&argument, &size, &refs, &count) < 0) return kNotBegun;
  for (const Started* started = first; started != nullptr; started = started->next) {
    if (strcmp(started->name, argv[2]) == 0) return started->function(argument, size, refs, count);
  }
  return kNotBegun;
}

}  // namespace kill_tests
