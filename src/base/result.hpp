// SPDX-License-Identifier: Apache-2.0
// What a core function returns: a value, or the status and message of its failure.
#ifndef MPC_BASE_RESULT_HPP
#define MPC_BASE_RESULT_HPP

#include <optional>
#include <string>
#include <utility>

#include <mpc/error.h>

namespace mpc {

struct Error {
  mpc_status status;
  std::string message;  // empty: the text of the status says it all
};

// Makes an Error from a printf format. The message is one line that says what to do.
[[gnu::format(printf, 2, 3)]] Error failure(mpc_status status, const char* format, ...);

// MPC_ESYSTEM with the name of the call and the errno that it left.
Error system_failure(const char* call, int error_number);

// The same of what makes a process or a thread: EAGAIN is a limit there.
Error no_process_failure(const char* call, int error_number);

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}      // NOLINT(google-explicit-constructor)
  Result(Error error) : error_(std::move(error)) {}  // NOLINT(google-explicit-constructor)
  explicit operator bool() const { return value_.has_value(); }
  T& operator*() { return *value_; }
  T* operator->() { return &*value_; }
  Error& error() { return error_; }

 private:
  std::optional<T> value_;
  Error error_{MPC_OK, {}};
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT(google-explicit-constructor)
  explicit operator bool() const { return error_.status >= 0; }
  Error& error() { return error_; }

 private:
  Error error_{MPC_OK, {}};
};

}  // namespace mpc

#endif
