// SPDX-License-Identifier: Apache-2.0
// The socket of a fork server: what strangers send there, and where the kernel runs out of
// something.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>
#include <vector>

#include <mpc/mpc.h>

#include "capi/forkserver_test.hpp"

namespace mpc::test {
namespace {

using SendInstead = ssize_t (*)(int fd, const msghdr* packet, int flags);
SendInstead send_instead = nullptr;  // for the next request to a fork server alone

ssize_t real_sendmsg(int fd, const msghdr* packet, int flags) {
  return syscall(SYS_sendmsg, fd, packet, flags);
}

bool is_request(const msghdr* packet) {
  constexpr char kPrefix[] = "mpc-server-";
  const auto* to = static_cast<const sockaddr_un*>(packet->msg_name);
  return to != nullptr && to->sun_family == AF_UNIX && to->sun_path[0] == '\0' &&
         memcmp(to->sun_path + 1, kPrefix, sizeof kPrefix - 1) == 0;
}

constexpr size_t kRequest = 400;  // about as long as a true one, which is no secret

// The address of the socket that a server listens on, from /proc.
struct Address {
  sockaddr_un name{};
  socklen_t length = 0;

  explicit Address(pid_t server) {
    std::string inodes;
    for (const auto& entry :
         std::filesystem::directory_iterator("/proc/" + std::to_string(server) + "/fd")) {
      std::error_code error;
      inodes += std::filesystem::read_symlink(entry.path(), error).string() + '\n';
    }
    std::ifstream sockets("/proc/net/unix");
    for (std::string line; std::getline(sockets, line);) {
      std::istringstream fields(line);
      std::string number, count, protocol, flags, type, state, inode, path;
      fields >> number >> count >> protocol >> flags >> type >> state >> inode >> path;
      if (path.rfind("@mpc-server-", 0) != 0) continue;
      if (inodes.find("socket:[" + inode + "]") == std::string::npos) continue;
      name.sun_family = AF_UNIX;
      memcpy(name.sun_path + 1, path.data() + 1, path.size() - 1);
      length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
    }
  }
};

class Stranger {
 public:
  explicit Stranger(const Address& to) : to_(to), socket_(socket(AF_UNIX, SOCK_DGRAM, 0)) {}
  ~Stranger() { close(socket_); }
  Stranger(const Stranger&) = delete;
  Stranger& operator=(const Stranger&) = delete;

  // Also where the queue is full for now; false where nobody listens.
  bool send(size_t size, const std::vector<int>& fds = {}, int flags = 0) {
    std::vector<char> bytes(size, 'x');
    iovec data{bytes.data(), size};
    msghdr packet{};
    packet.msg_name = const_cast<sockaddr_un*>(&to_.name);
    packet.msg_namelen = to_.length;
    packet.msg_iov = &data;
    packet.msg_iovlen = 1;
    alignas(cmsghdr) char control[CMSG_SPACE(250 * sizeof(int))] = {};
    if (!fds.empty()) {
      packet.msg_control = control;
      packet.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
      cmsghdr* rights = CMSG_FIRSTHDR(&packet);
      rights->cmsg_level = SOL_SOCKET;
      rights->cmsg_type = SCM_RIGHTS;
      rights->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
      memcpy(CMSG_DATA(rights), fds.data(), fds.size() * sizeof(int));
    }
    ssize_t sent = sendmsg(socket_, &packet, MSG_NOSIGNAL | flags);
    return sent >= 0 || errno == EAGAIN || errno == ETOOMANYREFS;
  }

 private:
  const Address& to_;
  int socket_;
};

size_t open_descriptors_of(pid_t process) {
  size_t count = 0;
  for ([[maybe_unused]] const auto& each :
       std::filesystem::directory_iterator("/proc/" + std::to_string(process) + "/fd")) {
    ++count;
  }
  return count;
}

TEST_P(ForkServerTest, M14WhatIsNoRequestDoesNoHarm) {
  pid_t ours = server();
  Address address(ours);
  ASSERT_GT(address.length, 0u);
  size_t open_before = open_descriptors_of(ours);
  int pipe_ends[2];
  ASSERT_EQ(pipe(pipe_ends), 0);
  {
    Stranger stranger(address);
    for (size_t size : {size_t{0}, size_t{1}, kRequest - 1, size_t{100000}}) {
      EXPECT_TRUE(stranger.send(size)) << size;
    }
    for (size_t size = kRequest - 64; size < kRequest + 64; ++size) {
      EXPECT_TRUE(stranger.send(size)) << size;
    }
    EXPECT_TRUE(stranger.send(kRequest, std::vector<int>(3, pipe_ends[1])));
    EXPECT_TRUE(stranger.send(1, std::vector<int>(250, pipe_ends[1])));
    EXPECT_TRUE(stranger.send(0, std::vector<int>(1, pipe_ends[1])));
  }
  EXPECT_EQ(server(), ours) << "it goes on";
  EXPECT_EQ(open_descriptors_of(ours), open_before) << "what came along is closed";
  close(pipe_ends[1]);
  char byte;
  EXPECT_EQ(read(pipe_ends[0], &byte, 1), 0) << "nobody else has the pipe open";
  close(pipe_ends[0]);
}

// `after`: who is asked once the request has been sent in the other way.
void expect_server_heeds(bool heeds, pid_t ours, pid_t after) {
  EXPECT_EQ(send_instead, nullptr) << "no request was sent in the other way";
  if (heeds) {
    EXPECT_EQ(after, ours) << "it was answered";
  } else {
    EXPECT_NE(after, ours) << "a server that does not answer is replaced";
  }
}

ssize_t as_it_is(int fd, const msghdr* packet, int flags) {
  return real_sendmsg(fd, packet, flags);
}

ssize_t with_another_key(int fd, const msghdr* packet, int flags) {
  std::vector<char> bytes(packet->msg_iov->iov_len);
  memcpy(bytes.data(), packet->msg_iov->iov_base, bytes.size());
  bytes[31] ^= 1;  // the key is the first 32 bytes
  iovec data{bytes.data(), bytes.size()};
  msghdr changed = *packet;
  changed.msg_iov = &data;
  return real_sendmsg(fd, &changed, flags);
}

ssize_t by_another_process(int fd, const msghdr* packet, int flags, uid_t user) {
  ssize_t size = static_cast<ssize_t>(packet->msg_iov->iov_len);
  pid_t other = fork_and([&] {
    if (user != getuid() && setuid(user) != 0) return 1;
    return real_sendmsg(fd, packet, flags) == size ? 0 : 2;
  });
  return wait_for(other) == 0 ? size : -1;
}
ssize_t by_another_process_of_ours(int fd, const msghdr* packet, int flags) {
  return by_another_process(fd, packet, flags, getuid());
}
ssize_t by_another_user(int fd, const msghdr* packet, int flags) {
  return by_another_process(fd, packet, flags, 65534);
}

TEST_P(ForkServerTest, M14HeedsNoRequestWithAnotherKey) {
  pid_t ours = server();
  send_instead = as_it_is;
  expect_server_heeds(true, ours, server());
  send_instead = with_another_key;
  expect_server_heeds(false, ours, server());
}

TEST_P(ForkServerTest, M14HeedsNoRequestOfAnotherUserThoughTheKeyIsRight) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can be another user";
  pid_t ours = server();
  send_instead = by_another_process_of_ours;
  expect_server_heeds(true, ours, server());
  send_instead = by_another_user;
  expect_server_heeds(false, ours, server());
}

TEST_P(ForkServerTest, M14AFloodOfStrangersRequestsKeepsNobodyFromStarting) {
  pid_t ours = server();
  Address address(ours);
  SharedPage<Count> flooded;
  pid_t flood = fork_and([&] {
    Stranger stranger(address);
    for (int i = 0; i < 1000; ++i) (void)stranger.send(kRequest, {}, MSG_DONTWAIT);
    flooded->set(1);
    // Until it is killed, or the server is gone.
    while (stranger.send(kRequest, {}, MSG_DONTWAIT)) {
    }
    return 0;
  });
  ASSERT_TRUE(flooded->reaches(1));
  for (int i = 0; i < 20; ++i) EXPECT_EQ(exit_code_of(start(nullptr)), 0);
  kill(flood, SIGKILL);
  (void)wait_for(flood);
}

// So that each further request would wait for room.
TEST_P(ForkServerTest, M13AStoppedServerWhoseQueueIsFullIsReplaced) {
  pid_t ours = server();
  Address address(ours);
  ASSERT_EQ(kill(ours, SIGSTOP), 0);
  ASSERT_TRUE(is_stopped(ours));
  {
    Stranger stranger(address);
    for (int i = 0; i < 10000; ++i) ASSERT_TRUE(stranger.send(kRequest, {}, MSG_DONTWAIT));
  }
  EXPECT_NE(server(), ours);
  EXPECT_TRUE(ends_within(ours, kLongEnough));
}

// --- limits --------------------------------------------------------------------------------------

int count_limit(const void* argument, size_t, const mpc_ref*, size_t) {
  rlimit both{};
  if (getrlimit(RLIMIT_NOFILE, &both) != 0) return 255;
  *argument_as<uint64_t*>(argument) = both.rlim_cur;
  return 0;
}

MPC_PROGRAM(has_few_descriptors_for_a_server) {
  rlimit both{};
  MUST(getrlimit(RLIMIT_NOFILE, &both) == 0);
  rlimit few{16, both.rlim_max};
  auto* limit = group_page<uint64_t>();
  MUST(setrlimit(RLIMIT_NOFILE, &few) == 0);
  MUST(finished(started(count_limit, limit)) == 0);
  MUST(*limit == few.rlim_cur);  // as the creator's, though the server has more
  MUST(setrlimit(RLIMIT_NOFILE, &both) == 0);
  int nothing = open("/dev/null", O_RDWR);
  mpc_descriptor given[40];
  for (int i = 0; i < 40; ++i) given[i] = {nothing, 100 + i};
  mpc_process_options options = MPC_PROCESS_OPTIONS_INIT;
  options.start_method = MPC_START_FORKSERVER;
  options.argument = &limit;
  options.argument_size = sizeof limit;
  options.descriptors = given;
  options.descriptor_count = 40;
  mpc_process* process;
  MUST(mpc_process_create(count_limit, &options, &process) == MPC_OK);
  MUST(mpc_process_start(process) == MPC_OK);
  MUST(finished(process) == 0);
  MUST(*limit == both.rlim_cur);
  return 0;
}

TEST(ForkServerLimitTest, M13AServerMadeUnderALowLimitTakesWhatIsPassedLater) {
  EXPECT_EQ(run_program("has_few_descriptors_for_a_server"), 0);
}

// The creator has room for what it passes, the server has not.
MPC_PROGRAM(has_a_server_without_descriptors) {
  pid_t server = server_of_a_start();
  rlimit few{12, 12};
  MUST(prlimit(server, RLIMIT_NOFILE, &few, nullptr) == 0);
  int nothing = open("/dev/null", O_RDWR);
  MUST(nothing >= 0);
  mpc_descriptor given[20];
  for (int i = 0; i < 20; ++i) given[i] = {nothing, 100 + i};
  mpc_process_options options = MPC_PROCESS_OPTIONS_INIT;
  options.start_method = MPC_START_FORKSERVER;
  options.descriptors = given;
  options.descriptor_count = 20;
  mpc_process* process;
  MUST(mpc_process_create(nullptr, &options, &process) == MPC_OK);
  MUST(mpc_process_start(process) == MPC_ESYSTEM);
  MUST(last_message().find("EMFILE") != std::string::npos);
  MUST(!ends_within(server, 0));
  return 0;
}

TEST(ForkServerLimitTest, M13AServerThatCannotTakeWhatIsPassedSaysSo) {
  EXPECT_EQ(run_program("has_a_server_without_descriptors"), 0);
}

// --- what children do
// ------------------------------------------------------------------------------

// The second fork of a daemon is nobody's child here.
int daemonize(const void* argument, size_t, const mpc_ref*, size_t) {
  auto* page = argument_as<ServerPage*>(argument);
  pid_t middle = fork();
  if (middle == 0) {
    setsid();
    if (fork() == 0) {
      page->ready.add();
      page->go.reaches(1);
    }
    _exit(0);
  }
  return wait_for(middle);
}

TEST_P(ForkServerTest, M13AChildMayMakeADaemonOfItsOwn) {
  pid_t ours = server();
  GroupPage<ServerPage> page;
  EXPECT_EQ(exit_code_of(start(daemonize, page.get())), 0);
  EXPECT_TRUE(page->ready.reaches(1));
  EXPECT_EQ(server(), ours);
  page->go.set(1);
}

}  // namespace
}  // namespace mpc::test

// The library's calls come by here, as those to any function of the C library that the program has
// too.
extern "C" ssize_t sendmsg(int fd, const msghdr* packet, int flags) {
  using mpc::test::send_instead;
  if (send_instead == nullptr || !mpc::test::is_request(packet)) {
    return mpc::test::real_sendmsg(fd, packet, flags);
  }
  return std::exchange(send_instead, nullptr)(fd, packet, flags);
}
