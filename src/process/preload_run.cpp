// SPDX-License-Identifier: Apache-2.0
#include "process/preload_run.hpp"

#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/single_threaded.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>

#include "base/fd.hpp"
#include "os/signals.hpp"
#include "process/credentials.hpp"
#include "process/function_name.hpp"
#include "process/packed_function.hpp"

namespace mpc {
namespace {

constexpr int kLookedAtWithoutProc = 4096;
constexpr int kLooksAtThreads = 100;

// The numbers in a folder of /proc; false where there is no such folder.
bool numbers_in(const char* folder, std::vector<int>& out_numbers) {
  DIR* entries = opendir(folder);
  if (entries == nullptr) return false;
  while (const dirent* entry = readdir(entries)) {
    if (entry->d_name[0] == '.') continue;
    int number = atoi(entry->d_name);
    if (number != dirfd(entries)) out_numbers.push_back(number);
  }
  closedir(entries);
  return true;
}

std::vector<int> open_descriptors() {
  std::vector<int> numbers;
  if (numbers_in("/proc/self/fd", numbers)) return numbers;
  for (int fd = 0; fd < kLookedAtWithoutProc; ++fd) {
    if (fcntl(fd, F_GETFD) >= 0) numbers.push_back(fd);
  }
  return numbers;
}

// How many threads there are; 2 where it is only known that it is not one.
size_t threads_now() {
  std::vector<int> threads;
  if (numbers_in("/proc/self/task", threads)) return threads.size();
  return __libc_single_threaded != 0 ? 1 : 2;
}

// How many more there are than before. One that was joined may be on its last steps.
size_t threads_left(size_t before) {
  for (int looks = 0; threads_now() > before && looks < kLooksAtThreads; ++looks) {
    timespec nap{0, 1000000};
    nanosleep(&nap, nullptr);
  }
  return std::max(threads_now(), before) - before;
}

// What the process was before, and is again afterwards.
class Before {
 public:
  Before()
      : descriptors_(open_descriptors()),
        threads_(threads_now()),
        handled_(signals_handled()),
        ignored_(signals_ignored()) {}

  size_t threads() const { return threads_; }

  void restore() const {
    // Else each child would write it.
    fflush(nullptr);
    for (int fd : open_descriptors()) {
      bool had = std::find(descriptors_.begin(), descriptors_.end(), fd) != descriptors_.end();
      if (!had) close(fd);
    }
    Fd nothing(open("/dev/null", O_RDWR | O_CLOEXEC));
    if (nothing) dup2(nothing.get(), STDIN_FILENO);
    if (nothing.get() == STDIN_FILENO) (void)nothing.release();
    signals_reset(signals_handled() & ~handled_);
    signals_ignore(ignored_, signals_ignored());
    itimerval none{};
    for (auto timer : {ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF}) setitimer(timer, &none, nullptr);
  }

 private:
  std::vector<int> descriptors_;
  size_t threads_;
  uint64_t handled_;
  uint64_t ignored_;
};

std::string load(const std::string& library) {
  // As function_found() does: nobody else's symbols are bound to it.
  if (dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL) != nullptr) return {};
  const char* reason = dlerror();
  return reason != nullptr ? reason : library + " cannot be loaded";
}

std::string run_init(const std::string& packed) {
  Result<FunctionName> name = function_unpack(packed);
  if (!name) return name.error().message;
  Result<const void*> function = function_found(*name);
  if (!function) return function.error().message;
  int code = reinterpret_cast<int (*)()>(const_cast<void*>(*function))();
  return code == 0 ? std::string() : "the init function returned " + std::to_string(code);
}

}  // namespace

PreloadOutcome preload_run(const Preload& preload, char* doing, size_t room) {
  PreloadOutcome outcome;
  if (preload.empty()) return outcome;
  auto note = [&](std::string failure) {
    if (outcome.failure.empty()) outcome.failure = std::move(failure);
    return !outcome.failure.empty() && preload.on_error == PreloadErrors::kFail;
  };
  Before before;
  std::string credentials = credentials_now();
  pid_t process = getpid();
  bool stop = false;
  for (const std::string& library : preload.libraries) {
    if (stop) break;
    snprintf(doing, room, "loading %s", library.c_str());
    stop = note(load(library));
  }
  if (!stop && !preload.init.empty()) {
    snprintf(doing, room, "running its init function");
    note(run_init(preload.init));
  }
  // A copy that the program made by its own fork(), and let come out of its function.
  if (getpid() != process) _exit(0);
  snprintf(doing, room, "tidying up");
  before.restore();
  if (size_t threads = threads_left(before.threads()); threads > 0) {
    outcome = {"it left " + std::to_string(threads) +
                   " threads running, which a fork would not copy; end them before it returns",
               true};
  } else if (credentials_now() != credentials) {
    outcome = {
        "it changed the rights of the fork server, which children must have from who starts "
        "them",
        true};
  }
  return outcome;
}

}  // namespace mpc
