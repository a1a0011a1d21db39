// SPDX-License-Identifier: Apache-2.0
#include "base/result.hpp"

#include <errno.h>
#include <string.h>

#include <cstdarg>
#include <cstdio>

namespace mpc {

Error failure(mpc_status status, const char* format, ...) {
  char text[512];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  return Error{status, text};
}

Error system_failure(const char* call, int error_number) {
  // The names are fixed and need no locale, as the texts of strerror() would.
  const char* name = strerrorname_np(error_number);
  const char* advice = error_number == EMFILE   ? ": no descriptor is free; raise RLIMIT_NOFILE"
                       : error_number == ENFILE ? ": fs.file-max of the system is reached"
                                                : "";
  return failure(MPC_ESYSTEM, "%s failed with %s (%d)%s", call, name == nullptr ? "?" : name,
                 error_number, advice);
}

}  // namespace mpc
