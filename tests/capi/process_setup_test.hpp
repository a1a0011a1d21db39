// SPDX-License-Identifier: Apache-2.0
// What the tests of a child's surroundings share: functions that children run, and files.
#ifndef MPC_TESTS_CAPI_PROCESS_SETUP_TEST_HPP
#define MPC_TESTS_CAPI_PROCESS_SETUP_TEST_HPP

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>

#include "support/start_method_test.hpp"

namespace mpc::test {

// Copies its input to its output and its error.
inline int repeat_input(const void*, size_t, const mpc_ref*, size_t) {
  char bytes[256];
  for (ssize_t n; (n = read(STDIN_FILENO, bytes, sizeof bytes)) != 0;) {
    if (n < 0) return 1;
    for (int fd : {STDOUT_FILENO, STDERR_FILENO}) {
      if (write(fd, bytes, static_cast<size_t>(n)) != n) return 2;
    }
  }
  return 0;
}

inline int speak(const void*, size_t, const mpc_ref*, size_t) {
  printf("spoken");
  fprintf(stderr, "shouted");
  return 0;
}

// Writes into each of the descriptors its number.
inline int write_numbers(const void* argument, size_t size, const mpc_ref*, size_t) {
  auto numbers = static_cast<const int32_t*>(argument);
  for (size_t i = 0; i < size / sizeof *numbers; ++i) {
    if (dprintf(numbers[i], "%d;", numbers[i]) < 0) return 1;
  }
  return 0;
}

inline std::string read_all(int fd) {
  std::string text;
  char bytes[256];
  for (ssize_t n; (n = read(fd, bytes, sizeof bytes)) > 0;) text.append(bytes, size_t(n));
  close(fd);
  return text;
}

// A folder of the test's own, and files in it.
class Folder {
 public:
  Folder() { EXPECT_NE(mkdtemp(path_.data()), nullptr); }
  ~Folder() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }
  std::string file(const char* name) const { return path_ + "/" + name; }
  std::string file(const char* name, const char* text) const {
    FILE* stream = fopen(file(name).c_str(), "w");
    EXPECT_NE(stream, nullptr);
    fputs(text, stream);
    fclose(stream);
    return file(name);
  }
  std::string text_of(const char* name) const {
    return read_all(open(file(name).c_str(), O_RDONLY | O_CLOEXEC));
  }

 private:
  std::string path_ = std::filesystem::temp_directory_path() / "libmpc-setup-XXXXXX";
};

inline mpc_stdio stream_of(mpc_stdio_kind kind, const char* path = nullptr) {
  return mpc_stdio{static_cast<uint32_t>(kind), 0, path};
}

inline mpc_stdio stream_of(int descriptor) {
  return mpc_stdio{MPC_STDIO_DESCRIPTOR, descriptor, nullptr};
}

// This process's end of the pipe that a standard stream of the child is.
inline int pipe_of(mpc_process* process, uint32_t which) {
  int fd = -1;
  EXPECT_EQ(mpc_process_pipe(process, which, &fd), MPC_OK) << last_message();
  return fd;
}

inline mpc_start_method method_named(const std::string& name) {
  for (mpc_start_method method : start_methods()) {
    if (name == mpc_start_method_name(method)) return method;
  }
  MUST(!"a start method");
  return MPC_START_DEFAULT;
}

}  // namespace mpc::test

#endif
