// SPDX-License-Identifier: Apache-2.0
// More requests at one fork server than its socket holds, and what else keeps a request from being
// sent.
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include <mpc/mpc.h>

#include "capi/forkserver_test.hpp"

namespace mpc::test {
namespace {

struct Crowd {
  Count ready;
  Count go;
  std::atomic<int32_t> ran{0};
};

constexpr int kStartsOfEach = 8;

int count_one(const void* argument, size_t, const mpc_ref*, size_t) {
  ++argument_as<Crowd*>(argument)->ran;
  return 6;
}

void start_some(Crowd* crowd) {
  std::vector<mpc_process*> processes;
  for (int i = 0; i < kStartsOfEach; ++i) processes.push_back(started(count_one, crowd));
  for (mpc_process* process : processes) MUST(finished(process) == 6);
}

int starts_with_the_others(const void* argument, size_t, const mpc_ref*, size_t) {
  auto* crowd = argument_as<Crowd*>(argument);
  crowd->ready.add();
  MUST(crowd->go.reaches(1));
  start_some(crowd);
  return 0;
}

// So many processes at once as the queue has places, and more.
uint32_t crowd_size() {
  uint32_t places = 10;
  std::ifstream("/proc/sys/net/unix/max_dgram_qlen") >> places;
  return std::min(places, 60u) + 20;
}

TEST_P(ForkServerTest, M14OfMoreRequestsThanItsQueueHoldsNoneIsLost) {
  GroupPage<Crowd> crowd;
  uint32_t size = crowd_size();
  std::vector<mpc_process*> processes;
  for (uint32_t i = 0; i < size; ++i) {
    processes.push_back(start(starts_with_the_others, crowd.get()));
  }
  ASSERT_TRUE(crowd->ready.reaches(size));
  crowd->go.set(1);
  for (mpc_process* process : processes) EXPECT_EQ(exit_code_of(process), 0);
  EXPECT_EQ(crowd->ran, static_cast<int32_t>(size * kStartsOfEach));
}

// Whoever loses patience first ends it; the others find that out, and make others, of which more
// than one may stay for the rest of this program.
MPC_PROGRAM(has_a_crowd_at_a_stopped_server) {
  auto* crowd = group_page<Crowd>();
  pid_t server = server_of_a_start();
  uint32_t size = crowd_size();
  std::vector<mpc_process*> processes;
  for (uint32_t i = 0; i < size; ++i) {
    processes.push_back(started(starts_with_the_others, crowd));
  }
  MUST(crowd->ready.reaches(size));
  MUST(kill(server, SIGSTOP) == 0 && is_stopped(server));
  crowd->go.set(1);
  // It is their server as well: how they ended is not told where it was killed before.
  for (mpc_process* process : processes) (void)finished(process);
  MUST(crowd->ran == static_cast<int32_t>(size * kStartsOfEach));
  MUST(server_of_a_start() != server);
  return 0;
}

TEST(ForkServerCrowdTest, M14OfMoreRequestsThanItsQueueHoldsNoneIsLostWhereItIsStopped) {
  EXPECT_EQ(run_program("has_a_crowd_at_a_stopped_server"), 0);
}

TEST_P(ForkServerTest, M14OfTheRequestsOfManyThreadsNoneIsLost) {
  GroupPage<Crowd> crowd;
  Crowd* address = crowd.get();
  constexpr int kThreads = 40;
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int i = 0; i < kThreads; ++i) threads.emplace_back([=] { start_some(address); });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(crowd->ran, kThreads * kStartsOfEach);
}

// --- descriptors on their way --------------------------------------------------------------------

// The kernel counts a user's that wait in any socket to be received.
MPC_PROGRAM(has_too_many_descriptors_on_their_way) {
  become_a_user_of_no_other_process();
  pid_t server = server_of_a_start();
  int ends[2];
  MUST(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
  rlimit before;
  MUST(getrlimit(RLIMIT_NOFILE, &before) == 0);
  rlimit few{32, before.rlim_max};
  MUST(setrlimit(RLIMIT_NOFILE, &few) == 0);
  for (;;) {
    char byte = 0;
    iovec data{&byte, 1};
    alignas(cmsghdr) char control[CMSG_SPACE(20 * sizeof(int))] = {};
    msghdr packet{};
    packet.msg_iov = &data;
    packet.msg_iovlen = 1;
    packet.msg_control = control;
    packet.msg_controllen = sizeof control;
    cmsghdr* rights = CMSG_FIRSTHDR(&packet);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(20 * sizeof(int));
    std::vector<int> fds(20, STDERR_FILENO);
    memcpy(CMSG_DATA(rights), fds.data(), 20 * sizeof(int));
    if (sendmsg(ends[0], &packet, MSG_NOSIGNAL) < 0) break;
  }
  MUST(errno == ETOOMANYREFS);
  mpc_process_options options = MPC_PROCESS_OPTIONS_INIT;
  options.start_method = MPC_START_FORKSERVER;
  mpc_process* process;
  MUST(mpc_process_create(nullptr, &options, &process) == MPC_OK);
  MUST(mpc_process_start(process) == MPC_ESYSTEM);
  MUST(last_message().find("ETOOMANYREFS") != std::string::npos);
  MUST(!ends_within(server, 0));
  for (int fd : ends) close(fd);
  MUST(mpc_process_start(process) == MPC_OK);
  MUST(finished(process) == 0);
  MUST(server_of_a_start() == server);
  return 0;
}

TEST(ForkServerCrowdTest, M14TooManyDescriptorsOnTheirWayAreAnErrorAndNoFaultOfTheServers) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can be a user with no other processes";
  EXPECT_EQ(run_program("has_too_many_descriptors_on_their_way"), 0);
}

}  // namespace
}  // namespace mpc::test
