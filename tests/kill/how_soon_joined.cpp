// SPDX-License-Identifier: Apache-2.0
// How soon a join returns whose process was killed, under each start method, and where its fork
// server is killed with it: from the kernel's word of the death, a pidfd that becomes readable.
//
//   how_soon_joined [--kills N]
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <vector>

#include "base/fd.hpp"
#include "fault.hpp"
#include "operation.hpp"
#include "started.hpp"
#include "starts.hpp"

namespace kill_tests {
namespace {

constexpr double kPatience = 10000;  // all of these in milliseconds
constexpr double kWorstBar = 250;
constexpr double kSupervisedBar = 5;
constexpr double kUnsupervisedBar = 100;

struct Shared {
  std::atomic<int32_t> child;    // is about to be joined
  std::atomic<double> returned;  // when the join did
  std::atomic<uint32_t> go_on;
};
Shared* shared;

int wait_for_the_end(const void*, size_t, const mpc_ref*, size_t) {
  for (;;) pause();
}
const Started waiting("waiting", wait_for_the_end);

[[noreturn]] void own(mpc_start_method method, uint32_t kills) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  mpc_process_options options = MPC_PROCESS_OPTIONS_INIT;
  options.start_method = method;
  for (uint32_t i = 0; i < kills; ++i) {
    mpc_process* process;
    int32_t pid = 0;
    must(create(waiting, options, &process), "mpc_process_create");
    must(mpc_process_start(process), "mpc_process_start");
    must(mpc_process_pid(process, &pid), "mpc_process_pid");
    shared->child.store(pid);
    must(mpc_process_join(process, MPC_FOREVER), "mpc_process_join");
    shared->returned.store(now_ms());
    must(mpc_process_destroy(process), "mpc_process_destroy");
    while (shared->go_on.load() <= i) nap_ms(0.05);
  }
  _exit(0);
}

// Waits for a word to be written.
template <class T>
T await(std::atomic<T>& word) {
  for (double end = now_ms() + kPatience; now_ms() < end;) {
    if (T value = word.exchange(0); value != 0) return value;
    nap_ms(0.05);
  }
  fault("nobody went on for 10 seconds");
}

pid_t parent_of(pid_t pid) {
  FILE* file = fopen(("/proc/" + std::to_string(pid) + "/stat").c_str(), "re");
  if (file == nullptr) return 0;
  int parent = 0;
  int read = fscanf(file, "%*d (%*[^)]) %*c %d", &parent);
  fclose(file);
  return read == 1 ? parent : 0;
}

double kill_once(bool with_server) {
  pid_t child = await(shared->child);
  mpc::Fd pidfd(static_cast<int>(syscall(SYS_pidfd_open, child, 0)));
  pid_t server = with_server ? parent_of(child) : 0;
  nap_ms(0.3);  // most joins sleep by then; for those that do not, what is measured holds as well
  if (server > 1) kill(server, SIGKILL);
  kill(child, SIGKILL);
  pollfd death{pidfd.get(), POLLIN, 0};
  if (poll(&death, 1, static_cast<int>(kPatience)) != 1) fault("a killed process does not end");
  double told = now_ms();
  double returned = await(shared->returned);
  while (waitpid(-1, nullptr, WNOHANG) > 0) {
  }
  shared->go_on.fetch_add(1);
  return std::max(0.0, returned - told);
}

void row(const std::string& what, double value, double bar) {
  printf("%-58s | %8.2f ms | at most %4.0f ms | %s\n", what.c_str(), value, bar,
         value <= bar ? "met" : "missed");
}

void measure(mpc_start_method method, uint32_t kills, bool with_server) {
  new (shared) Shared{};
  fflush(nullptr);
  if (fork() == 0) own(method, kills);
  std::vector<double> times;
  for (uint32_t i = 0; i < kills; ++i) times.push_back(kill_once(with_server));
  while (waitpid(-1, nullptr, 0) > 0) {
  }
  std::sort(times.begin(), times.end());
  std::string what =
      std::string(mpc_start_method_name(method)) +
      (with_server ? ", and its server, killed to join returned" : ", killed to join returned");
  bool supervised = method == MPC_START_FORKSERVER && !with_server;
  row(what + ", median of " + std::to_string(kills), times[times.size() / 2],
      supervised ? kSupervisedBar : kUnsupervisedBar);
  row(what + ", worst", times.back(), kWorstBar);
}

}  // namespace
}  // namespace kill_tests

int main(int argc, char** argv) {
  if (int code = kill_tests::run_started(argc, argv); code >= 0) return code;
  uint32_t kills = 1000;
  if (argc == 3 && strcmp(argv[1], "--kills") == 0) {
    kills = static_cast<uint32_t>(strtoul(argv[2], nullptr, 10));
  }
  if (kills == 0) return 2;
  void* page = mmap(nullptr, sizeof(kill_tests::Shared), PROT_READ | PROT_WRITE,
                    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return 2;
  kill_tests::shared = static_cast<kill_tests::Shared*>(page);
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  try {
    for (mpc_start_method method : kill_tests::start_methods()) {
      kill_tests::measure(method, kills, false);
    }
    kill_tests::measure(MPC_START_FORKSERVER, kills, true);
  } catch (const std::exception& caught) {
    printf("caught: %s\n", caught.what());
    return 1;
  }
  return 0;
}
