// SPDX-License-Identifier: Apache-2.0
// A promise that did not hold.
#ifndef MPC_TESTS_KILL_FAULT_HPP
#define MPC_TESTS_KILL_FAULT_HPP

#include <cstdarg>
#include <cstdio>
#include <stdexcept>
#include <string>

namespace kill_tests {

class Fault : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

[[noreturn]] __attribute__((format(printf, 1, 2))) inline void fault(const char* format, ...) {
  char text[512];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  throw Fault(text);
}

}  // namespace kill_tests

#endif
