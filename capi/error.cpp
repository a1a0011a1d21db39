// SPDX-License-Identifier: Apache-2.0
#include <mpc/error.h>

#include "boundary.hpp"

namespace mpc {
namespace {

struct LastError {
  char text[512];
};
thread_local LastError last_error;

}  // namespace

mpc_status report(const Error& error) noexcept {
  const char* text = error.message.empty() ? mpc_status_text(error.status) : error.message.c_str();
  copy_text(text, last_error.text, sizeof last_error.text);
  return error.status;
}

}  // namespace mpc

extern "C" {

const char* mpc_status_name(mpc_status status) {
  switch (status) {
#define MPC_STATUS(name, text) \
  case name:                   \
    return #name;
#include "base/status.def"
#undef MPC_STATUS
  }
  return "MPC_E?";
}

const char* mpc_status_text(mpc_status status) {
  switch (status) {
#define MPC_STATUS(name, text) \
  case name:                   \
    return text;
#include "base/status.def"
#undef MPC_STATUS
  }
  return "not a status of libmpc";
}

size_t mpc_last_error_message(char* buffer, size_t capacity) {
  return mpc::copy_text(mpc::last_error.text, buffer, capacity);
}

mpc_status mpc_library_check(uint32_t header_version) {
  return mpc::guarded([&]() -> mpc::Result<void> {
    uint32_t major = header_version >> 16;
    uint32_t minor = header_version >> 8 & 0xff;
    bool fits = major == LIBMPC_VERSION_MAJOR &&
                (major == 0 ? minor == LIBMPC_VERSION_MINOR
                            : header_version <= uint32_t{LIBMPC_VERSION_NUMBER});
    if (fits) return {};
    return mpc::failure(
        MPC_EVERSION,
        "the program was compiled with the headers of libmpc %u.%u.%u and runs with "
        "the library %s; install one version of both",
        major, minor, header_version & 0xff, LIBMPC_VERSION_STRING);
  });
}
}
