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
  const char* advice =
      error_number == EMFILE   ? ": no descriptor is free; raise RLIMIT_NOFILE"
      : error_number == ENFILE ? ": fs.file-max of the system is reached"
      : error_number == ETOOMANYREFS
          ? ": too many descriptors of this user's wait in sockets to be received; "
            "receive them, or raise RLIMIT_NOFILE"
          : "";
  return failure(MPC_ESYSTEM, "%s failed with %s (%d)%s", call, name == nullptr ? "?" : name,
                 error_number, advice);
}

Error no_process_failure(const char* call, int error_number) {
  Error failed = system_failure(call, error_number);
  if (error_number == EAGAIN) failed.message += ": the limit of processes is reached (ulimit -u)";
  return failed;
}

}  // namespace mpc
