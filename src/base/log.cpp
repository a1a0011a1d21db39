// SPDX-License-Identifier: Apache-2.0
// The one file that knows spdlog. A formatter of it renders a line in Python's format and with its
// level names; the line is then handed to the program's function or written to standard error at
// once. No sink, registry or thread of spdlog's is used: their mutexes would not survive a fork.
// Nor is its pattern formatter: the sixty classes of it would be relocated in every program that
// links the library.
#include "base/log.hpp"

#include <errno.h>
#include <spdlog/details/fmt_helper.h>
#include <spdlog/details/log_msg.h>
#include <spdlog/formatter.h>
#include <string.h>
#include <unistd.h>

#include <atomic>
#include <cstdarg>
#include <cstdio>

#include "base/child_page.hpp"

namespace mpc {
namespace {

struct Destination {
  std::atomic<int> level{MPC_LOG_OFF};
  std::atomic<mpc_log_fn> function{nullptr};
  std::atomic<void*> user_data{nullptr};
};
Destination destination;
MPC_CHILD_PAGE std::atomic<const char*> process_name{"MainProcess"};

spdlog::level::level_enum level_of(mpc_log_level level) {
  switch (level) {
    case MPC_LOG_DEBUG:
      return spdlog::level::debug;
    case MPC_LOG_INFO:
      return spdlog::level::info;
    case MPC_LOG_WARNING:
      return spdlog::level::warn;
    default:
      return spdlog::level::err;
  }
}

// As multiprocessing.log_to_stderr() has it: [LEVEL/process name] text.
class PythonFormatter final : public spdlog::formatter {
 public:
  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& line) override {
    append("[", line);
    append(level_name(message.level), line);
    append("/", line);
    append(message.logger_name, line);
    append("] ", line);
    append(message.payload, line);
  }

  std::unique_ptr<spdlog::formatter> clone() const override {
    return std::make_unique<PythonFormatter>();
  }

 private:
  static void append(spdlog::string_view_t text, spdlog::memory_buf_t& line) {
    spdlog::details::fmt_helper::append_string_view(text, line);
  }

  static const char* level_name(spdlog::level::level_enum level) {
    switch (level) {
      case spdlog::level::debug:
        return "DEBUG";
      case spdlog::level::info:
        return "INFO";
      case spdlog::level::warn:
        return "WARNING";
      default:
        return "ERROR";
    }
  }
};

void write_all(const char* text, size_t size) {
  while (size > 0) {
    ssize_t n = write(STDERR_FILENO, text, size);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;
    text += n;
    size -= static_cast<size_t>(n);
  }
}

}  // namespace

void log_set(mpc_log_level level, mpc_log_fn function, void* user_data) {
  destination.level.store(MPC_LOG_OFF);
  destination.function.store(function);
  destination.user_data.store(user_data);
  destination.level.store(level);
}

MPC_CHILD_CODE void log_set_process_name(const char* name) { process_name.store(name); }

mpc_log_level log_level() { return static_cast<mpc_log_level>(destination.level.load()); }

bool log_wanted(mpc_log_level level) {
  int least = destination.level.load(std::memory_order_relaxed);
  return least != MPC_LOG_OFF && level >= least;
}

void log_line(mpc_log_level level, const char* format, ...) {
  if (!log_wanted(level)) return;
  int saved_errno = errno;
  char text[512];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);

  spdlog::details::log_msg message(process_name.load(), level_of(level), text);
  spdlog::memory_buf_t line;
  PythonFormatter().format(message, line);

  if (mpc_log_fn function = destination.function.load()) {
    line.push_back('\0');
    function(level, line.data(), destination.user_data.load());
  } else {
    line.push_back('\n');
    write_all(line.data(), line.size());
  }
  errno = saved_errno;
}

}  // namespace mpc
