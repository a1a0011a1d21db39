// SPDX-License-Identifier: Apache-2.0
// Joining where who listens is no group of libmpc, or a group that does not fit: each is told, and
// nothing is mapped, kept open or touched that could be a fatal signal.
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/time.h>

#include <functional>
#include <vector>

#include "join_path_test.hpp"
#include "support/machine_state.hpp"

namespace mpc::test {
namespace {

// As src/os/door.hpp sends it.
struct Greeting {
  uint64_t magic;
  uint32_t layout_version;
  int32_t owner;
  int32_t joiner;
  uint32_t reserved;
  uint64_t group;
};

constexpr size_t kSize = size_t{64} << 20;

int memory_file(size_t size, int seals) {
  int fd = memfd_create("join-test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  EXPECT_EQ(ftruncate(fd, static_cast<off_t>(size)), 0);
  EXPECT_EQ(fcntl(fd, F_ADD_SEALS, seals), 0);
  return fd;
}

void send_with(int client, const void* bytes, size_t size, const std::vector<int>& descriptors) {
  iovec part{const_cast<void*>(bytes), size};
  alignas(cmsghdr) char control[CMSG_SPACE(8 * sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (!descriptors.empty()) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(descriptors.size() * sizeof(int));
    cmsghdr* rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(descriptors.size() * sizeof(int));
    memcpy(CMSG_DATA(rights), descriptors.data(), descriptors.size() * sizeof(int));
  }
  EXPECT_EQ(sendmsg(client, &message, MSG_NOSIGNAL), static_cast<ssize_t>(size));
}

// Fills a place of the queue, if there is one.
int raw_client_at_once(const std::string& path) {
  sockaddr_un address = address_of(path);
  int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  (void)connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address);
  return fd;
}

// Prints what it was told.
MPC_PROGRAM(tries_to_join) {
  MachineState before = MachineState::now();
  mpc_status status = mpc_group_join_path(arguments[0].c_str(), kLongEnough);
  MUST(MachineState::now().descriptors == before.descriptors);
  printf("%s", mpc_status_name(status));
  // As it was: a group of its own is there to be had.
  MUST(mpc_group_join() == MPC_OK && mpc_group_leave() == MPC_OK);
  return 0;
}

class JoinListenerTest : public testing::Test {
 protected:
  void SetUp() override {
    listener_ = bound_socket(folder_.socket(), SOCK_SEQPACKET);
    ASSERT_EQ(listen(listener_, 1), 0);
  }
  void TearDown() override { close(listener_); }

  // What a program is told that joins where `answer` is called for its connection.
  std::string told(const std::function<void(int client, pid_t joiner)>& answer) {
    RunningProgram joiner("tries_to_join", {folder_.socket()});
    int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    answer(client, joiner.pid());
    close(client);
    Ended ended = joiner.wait();
    EXPECT_EQ(ended, 0);
    return ended.output;
  }

  std::string told(Greeting greeting, const std::vector<int>& descriptors) {
    std::string status = told([&](int client, pid_t joiner) {
      if (greeting.joiner == 0) greeting.joiner = joiner;
      send_with(client, &greeting, sizeof greeting, descriptors);
    });
    for (int fd : descriptors) close(fd);
    return status;
  }

  // With which everything but the memory is as it should be.
  static Greeting good() { return {0x6e696f6a6f74636d, 1, getpid(), 0, 0, 7}; }
  static constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

  SocketFolder folder_;
  int listener_ = -1;
};

TEST_F(JoinListenerTest, WhoHangsUpIsNobody) {
  EXPECT_EQ(told([](int, pid_t) {}), "MPC_ECLOSED");
}

TEST_F(JoinListenerTest, WhoSaysSomethingElseIsNoGroup) {
  EXPECT_EQ(told([](int client, pid_t) { send_with(client, "x", 1, {}); }), "MPC_EGROUP");
  EXPECT_EQ(told([](int client, pid_t) {
              std::vector<char> much(100000, 'x');
              send_with(client, much.data(), much.size(), {STDERR_FILENO, STDERR_FILENO});
            }),
            "MPC_EGROUP");
  EXPECT_EQ(told([](int client, pid_t joiner) {
              Greeting greeting = good();
              greeting.joiner = joiner;
              send_with(client, &greeting, sizeof greeting - 1, {});
            }),
            "MPC_EGROUP");
}

TEST_F(JoinListenerTest, AnotherVersionsLayoutIsTold) {
  Greeting newer = good();
  newer.layout_version = 1000;
  EXPECT_EQ(told(newer, {}), "MPC_ELAYOUT");
}

TEST_F(JoinListenerTest, AnotherPidNamespaceIsTold) {
  Greeting elsewhere = good();
  elsewhere.joiner = 1;
  EXPECT_EQ(told(elsewhere, {}), "MPC_ENOTSUP");
  elsewhere = good();
  elsewhere.owner = 1;
  EXPECT_EQ(told(elsewhere, {}), "MPC_ENOTSUP");
}

TEST_F(JoinListenerTest, WhatIsNoSealedMemoryIsNotMapped) {
  EXPECT_EQ(told(good(), {}), "MPC_EGROUP");
  EXPECT_EQ(told(good(), {open("/proc/self/exe", O_RDONLY | O_CLOEXEC)}), "MPC_EGROUP");
  EXPECT_EQ(told(good(), {socket(AF_UNIX, SOCK_STREAM, 0)}), "MPC_EGROUP");
  EXPECT_EQ(told(good(), {memory_file(kSize, F_SEAL_SHRINK)}), "MPC_EGROUP");
  EXPECT_EQ(told(good(), {memory_file(kSize, kSeals)}), "MPC_EGROUP");
  EXPECT_EQ(told(good(), {memory_file(4096, kSeals)}), "MPC_EGROUP");
  EXPECT_EQ(told(good(), {memory_file(0, kSeals)}), "MPC_EGROUP");
  EXPECT_EQ(told(good(), {memory_file(kSize, kSeals | F_SEAL_WRITE)}), "MPC_EGROUP");
}

// The descriptor of a true group, whose memory says of itself that it is longer, is cut off.
TEST_F(JoinListenerTest, MemoryThatIsNotAsLongAsItSaysIsNotMapped) {
  ASSERT_EQ(mpc_group_join(), MPC_OK);
  mpc_group_stats stats = figures();
  const void* header = reinterpret_cast<const void*>(stats.address);
  int shorter = memory_file(kSize, 0);
  EXPECT_EQ(pwrite(shorter, header, 4096, 0), 4096);
  EXPECT_EQ(fcntl(shorter, F_ADD_SEALS, kSeals), 0);
  Greeting greeting = good();
  greeting.group = stats.id;
  EXPECT_EQ(told(greeting, {shorter}), "MPC_EGROUP");
  EXPECT_EQ(mpc_group_leave(), MPC_OK);
}

TEST_F(JoinListenerTest, ASocketOfAnotherTypeIsNoGroup) {
  close(listener_);
  unlink(folder_.socket().c_str());
  listener_ = bound_socket(folder_.socket(), SOCK_STREAM);
  ASSERT_EQ(listen(listener_, 1), 0);
  EXPECT_EQ(mpc_group_join_path(folder_.socket().c_str(), kLongEnough), MPC_EGROUP);
}

TEST_F(JoinListenerTest, WhoDoesNotAnswerIsWaitedForUntilTheDeadline) {
  constexpr int64_t kShort = 50'000'000;
  for (int64_t timeout : {kShort, int64_t{0}, int64_t{-5}}) {
    int64_t begun = now_ns();
    EXPECT_EQ(mpc_group_join_path(folder_.socket().c_str(), timeout), MPC_ETIMEDOUT);
    EXPECT_GE(now_ns() - begun, timeout - kTolerance);
  }
  // By now the queue is full, so that connecting alone takes the time.
  EXPECT_EQ(mpc_group_join_path(folder_.socket().c_str(), kShort), MPC_ETIMEDOUT);
}

TEST_F(JoinListenerTest, P20SignalsNeitherEndNorLengthenTheWait) {
  constexpr int64_t kTimeout = 200'000'000;
  std::vector<int> clients;
  for (bool full : {false, true}) {
    pid_t joiner = fork_and([&] {
      struct sigaction action = {};
      action.sa_handler = [](int) {};
      MUST(sigaction(SIGALRM, &action, nullptr) == 0);
      itimerval often{{0, 1000}, {0, 1000}};
      MUST(setitimer(ITIMER_REAL, &often, nullptr) == 0);
      int64_t begun = now_ns();
      MUST(mpc_group_join_path(folder_.socket().c_str(), kTimeout) == MPC_ETIMEDOUT);
      return now_ns() - begun >= kTimeout - kTolerance ? 0 : 1;
    });
    EXPECT_EQ(wait_for(joiner), 0) << full;
    for (int i = 0; i < 2; ++i) clients.push_back(raw_client_at_once(folder_.socket()));
  }
  for (int client : clients) close(client);
}

}  // namespace
}  // namespace mpc::test
