// SPDX-License-Identifier: Apache-2.0
#include "call_parts.hpp"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <map>

#include "fault.hpp"

namespace kill_tests {
namespace {

PartReport* make_reports(uint32_t count) {
  void* pages = mmap(nullptr, count * sizeof(PartReport), PROT_READ | PROT_WRITE,
                     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) fault("no memory for what the parts report");
  return static_cast<PartReport*>(pages);
}

[[noreturn]] void drive(const Part& part, pid_t campaign,
                        const std::function<void(const Part&)>& body) {
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != campaign) _exit(1);
  int code = 1;
  try {
    body(part);
    code = 0;
  } catch (const std::exception& caught) {
    snprintf(part.report.caught, sizeof part.report.caught, "%s", caught.what());
  }
  _exit(code);
}

void add(Tally& sum, const Tally& tally) {
  sum.points += tally.points;
  sum.kills += tally.kills;
  sum.stalls += tally.stalls;
  sum.missed += tally.missed;
  sum.repeats += tally.repeats;
}

void add(PartReport& sum, const PartReport& report) {
  add(sum.progress.tally, report.progress.tally);
  sum.role_count = std::max(sum.role_count, report.role_count);
  for (uint32_t i = 0; i < report.role_count; ++i) {
    memcpy(sum.roles[i].name, report.roles[i].name, sizeof sum.roles[i].name);
    add(sum.roles[i].tally, report.roles[i].tally);
  }
  for (uint32_t i = 0; i < report.orphan_count; ++i) sum.add_orphan(report.orphans[i]);
}

// Whoever watches sees one move when any part does, and what one does that is not through.
void show(const PartReport* reports, const std::map<pid_t, uint32_t>& running, uint32_t count,
          Progress& progress) {
  uint64_t moves = 0;
  for (uint32_t i = 0; i < count; ++i) {
    moves += __atomic_load_n(&reports[i].progress.moves, __ATOMIC_RELAXED);
  }
  if (!running.empty()) {
    const Progress& one = reports[running.begin()->second].progress;
    memcpy(progress.doing, one.doing, sizeof progress.doing);
  }
  __atomic_store_n(&progress.moves, moves, __ATOMIC_RELAXED);
}

bool ended_well(int status) { return WIFEXITED(status) && WEXITSTATUS(status) == 0; }

[[noreturn]] void tell(const PartReport& report, int status, Progress& progress) {
  memcpy(progress.doing, report.progress.doing, sizeof progress.doing);
  if (report.caught[0] != '\0') fault("%s", report.caught);
  fault("the survivor ended with wait status %d", status);
}

}  // namespace

void PartReport::add_orphan(double milliseconds) {
  if (orphan_count < kMostOrphans) orphans[orphan_count++] = milliseconds;
}

void PartReport::expect_to_go_on() const {
  if (__atomic_load_n(&stop, __ATOMIC_RELAXED) != 0) fault("another part has caught something");
}

PartReport& run_parts(uint32_t count, Progress& progress,
                      const std::function<void(const Part&)>& body) {
  PartReport* reports = make_reports(count + 1);
  std::map<pid_t, uint32_t> running;
  fflush(nullptr);
  pid_t campaign = getpid();
  for (uint32_t i = 0; i < count; ++i) {
    pid_t pid = fork();
    if (pid < 0) fault("fork: %s", strerror(errno));
    if (pid == 0) drive(Part{i, count, reports[i]}, campaign, body);
    running[pid] = i;
  }
  PartReport& sum = reports[count];
  const PartReport* failed = nullptr;
  int failed_status = 0;
  while (!running.empty()) {
    show(reports, running, count, progress);
    int status = 0;
    pid_t pid = waitpid(-1, &status, WNOHANG);
    auto part = pid > 0 ? running.find(pid) : running.end();
    if (part == running.end()) {
      poll(nullptr, 0, 20);
      continue;
    }
    const PartReport& report = reports[part->second];
    add(sum, report);
    running.erase(part);
    if (ended_well(status) || failed != nullptr) continue;
    failed = &report;
    failed_status = status;
    for (uint32_t i = 0; i < count; ++i) __atomic_store_n(&reports[i].stop, 1, __ATOMIC_RELAXED);
  }
  if (failed != nullptr) tell(*failed, failed_status, progress);
  return sum;
}

}  // namespace kill_tests
