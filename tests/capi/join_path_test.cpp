// SPDX-License-Identifier: Apache-2.0
// Joining a group through a socket path: what programs that are no descendants can do, and how the
// path comes and goes.
#include "join_path_test.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <algorithm>

#include "support/start_method_test.hpp"

namespace mpc::test {
namespace {

constexpr int kSquares = 10;

std::string text_of(const mpc_ref& ref) {
  return std::to_string(ref.group) + " " + std::to_string(ref.kind) + " " +
         std::to_string(ref.place) + " " + std::to_string(ref.generation);
}

mpc_ref ref_from(const std::string& text) {
  mpc_ref ref{};
  unsigned long long group = 0;
  sscanf(text.c_str(), "%llu %u %u %u", &group, &ref.kind, &ref.place, &ref.generation);
  ref.group = group;
  return ref;
}

int fill(const void*, size_t, const mpc_ref* refs, size_t) {
  mpc_block* block;
  MUST(mpc_block_attach(refs, &block) == MPC_OK);
  auto* squares = static_cast<int*>(mpc_block_address(block));
  for (int i = 0; i < kSquares; ++i) squares[i] = i * i;
  return mpc_block_detach(block) == MPC_OK ? 0 : 1;
}

// PATH REF METHOD: joins, and has a child of its own do the work.
MPC_PROGRAM(joins_and_starts_a_child) {
  MUST(mpc_group_join_path(arguments[0].c_str(), kLongEnough) == MPC_OK);
  mpc_ref ref = ref_from(arguments[1]);
  mpc_process_options options = MPC_PROCESS_OPTIONS_INIT;
  options.start_method = static_cast<mpc_start_method>(atoi(arguments[2].c_str()));
  options.refs = &ref;
  options.ref_count = 1;
  int32_t pid;
  MUST(mpc_process_parent_pid(&pid) == MPC_ESTATE);
  mpc_process* process;
  int exit_code = -1;
  MUST(mpc_process_create(fill, &options, &process) == MPC_OK);
  MUST(mpc_process_start(process) == MPC_OK);
  MUST(mpc_process_join(process, MPC_FOREVER) == MPC_OK);
  MUST(mpc_process_exit_code(process, &exit_code) == MPC_OK && exit_code == 0);
  MUST(mpc_process_destroy(process) == MPC_OK);
  MUST(mpc_group_leave() == MPC_OK);
  return 0;
}

MPC_PROGRAM(joins_and_leaves) {
  MUST(mpc_group_join_path(arguments[0].c_str(), kLongEnough) == MPC_OK);
  MUST(mpc_group_leave() == MPC_OK);
  return 0;
}

class JoinPathTest : public StartMethodTest {
 protected:
  void TearDown() override {
    EXPECT_EQ(mpc_group_unlisten(), MPC_OK);
    StartMethodTest::TearDown();
  }
  SocketFolder folder_;
};
MPC_UNDER_EVERY_START_METHOD(JoinPathTest);

TEST_P(JoinPathTest, AProgramThatIsNoDescendantSharesABlockAndHasChildren) {
  ASSERT_EQ(mpc_group_listen(folder_.socket().c_str()), MPC_OK) << last_message();
  mpc_block* block;
  mpc_ref ref;
  ASSERT_EQ(mpc_block_create(kSquares * sizeof(int), &block), MPC_OK);
  ASSERT_EQ(mpc_block_ref(block, &ref), MPC_OK);
  EXPECT_EQ(run_program("joins_and_starts_a_child",
                        {folder_.socket(), text_of(ref), std::to_string(GetParam())}),
            0);
  const auto* squares = static_cast<const int*>(mpc_block_address(block));
  EXPECT_EQ(squares[kSquares - 1], (kSquares - 1) * (kSquares - 1));
  EXPECT_EQ(mpc_block_detach(block), MPC_OK);
}

struct Listener {
  Count* count;
  char path[64];
};

int listen_until_told(const void* argument, size_t, const mpc_ref*, size_t) {
  auto mine = argument_as<Listener>(argument);
  MUST(mpc_group_listen(mine.path) == MPC_OK);
  mine.count->set(1);
  return mine.count->reaches(2) ? 0 : 1;
}

TEST_P(JoinPathTest, AnyParticipantCanListenAndItsPathGoesWithIt) {
  GroupPage<Count> count;
  Listener listener{count.get(), {}};
  memcpy(listener.path, folder_.socket().c_str(), folder_.socket().size());
  mpc_process* process = start(listen_until_told, listener);
  ASSERT_TRUE(count->reaches(1));
  EXPECT_EQ(run_program("joins_and_leaves", {folder_.socket()}), 0);
  count->set(2);
  EXPECT_EQ(exit_code_of(process), 0);
  EXPECT_FALSE(is_there(folder_.socket()));
}

TEST_P(JoinPathTest, ListeningTakesAThreadAndNothingElse) {
  size_t before = threads();
  MachineState machine = MachineState::now();
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(mpc_group_listen(folder_.socket().c_str()), MPC_OK) << last_message();
    EXPECT_EQ(threads(), before + 1);
    EXPECT_EQ(MachineState::now().descriptors, machine.descriptors);
    EXPECT_TRUE(is_there(folder_.socket()));
    ASSERT_EQ(mpc_group_unlisten(), MPC_OK) << last_message();
    // The kernel tells of a thread's end before it has none any more.
    while (threads() != before) sched_yield();
    EXPECT_EQ(MachineState::now().descriptors, machine.descriptors);
    EXPECT_FALSE(is_there(folder_.socket()));
  }
  EXPECT_EQ(mpc_group_unlisten(), MPC_OK);
}

TEST_P(JoinPathTest, AForkOfTheProgramDoesNotListenButMay) {
  ASSERT_EQ(mpc_group_listen(folder_.socket().c_str()), MPC_OK);
  std::string other = folder_.path() + "/other";
  SharedPage<Count> count;
  pid_t child = fork_and([&] {
    // Nothing of the parent's is taken back by its child.
    MUST(mpc_group_unlisten() == MPC_OK);
    MUST(is_there(folder_.socket()));
    MUST(mpc_group_listen(folder_.socket().c_str()) == MPC_ESTATE);
    MUST(mpc_group_listen(other.c_str()) == MPC_OK);
    count->set(1);
    MUST(count->reaches(2));
    MUST(mpc_group_unlisten() == MPC_OK);
    MUST(mpc_group_leave() == MPC_ESTATE || mpc_group_leave() == MPC_OK);
    return 0;
  });
  ASSERT_TRUE(count->reaches(1));
  EXPECT_EQ(run_program("joins_and_leaves", {other}), 0);
  EXPECT_EQ(run_program("joins_and_leaves", {folder_.socket()}), 0);
  count->set(2);
  EXPECT_EQ(wait_for(child), 0);
  EXPECT_TRUE(is_there(folder_.socket()));
  EXPECT_FALSE(is_there(other));
}

// --- who comes -----------------------------------------------------------------------------------

TEST_P(JoinPathTest, WhoDoesNotTakeTheAnswerHoldsNobodyUp) {
  ASSERT_EQ(mpc_group_listen(folder_.socket().c_str()), MPC_OK);
  int clients[50];
  for (int& client : clients) {
    ASSERT_GE(client = raw_client(folder_.socket()), 0);
    (void)send(client, "hello", 5, MSG_NOSIGNAL);
  }
  EXPECT_EQ(run_program("joins_and_leaves", {folder_.socket()}), 0);
  for (int client : clients) close(client);
}

TEST_P(JoinPathTest, AnotherUserIsHungUpOn) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can be another user";
  ASSERT_EQ(mpc_group_listen(folder_.socket().c_str()), MPC_OK);
  struct stat st;
  ASSERT_EQ(stat(folder_.socket().c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 07777, 0600u);
  // What the file system would forbid is tried all the same.
  ASSERT_EQ(chmod(folder_.socket().c_str(), 0777), 0);
  ASSERT_EQ(chmod(folder_.path().c_str(), 0755), 0);
  pid_t raw = fork_and([&] {
    if (setgid(65534) != 0 || setuid(65534) != 0) return 1;
    int client = raw_client(folder_.socket());
    char byte;
    return client >= 0 && recv(client, &byte, 1, 0) == 0 ? 0 : 2;
  });
  EXPECT_EQ(wait_for(raw), 0);
  EXPECT_EQ(run_program("joins_as_nobody", {folder_.socket()}), 0);
}

MPC_PROGRAM(joins_as_nobody) {
  MUST(setgid(65534) == 0 && setuid(65534) == 0);
  MUST(mpc_group_join_path(arguments[0].c_str(), kLongEnough) == MPC_EGROUP);
  MUST(last_message().find("of user 0") != std::string::npos);
  return 0;
}

// --- how the path comes and goes -----------------------------------------------------------------

MPC_PROGRAM(listens_and_exits) {
  umask(0);
  MUST(mpc_group_listen(arguments[0].c_str()) == MPC_OK);
  struct stat st;
  MUST(stat(arguments[0].c_str(), &st) == 0 && (st.st_mode & 07777) == 0600);
  // They run after the program's own objects were destroyed.
  static const char* path = strdup(arguments[0].c_str());
  auto expect_gone = [](void*) {
    if (is_there(path)) _exit(3);
  };
  auto expect_there = [](void*) {
    if (!is_there(path)) _exit(4);
  };
  MUST(mpc_finalizer_add(expect_gone, nullptr, -1, nullptr) == MPC_OK);
  MUST(mpc_finalizer_add(expect_there, nullptr, 1, nullptr) == MPC_OK);
  pid_t child = fork();
  if (child == 0) exit(0);
  MUST(wait_for(child) == 0);
  MUST(is_there(path));
  return 0;
}

TEST(JoinPathProgramTest, APathGoesAtExitBetweenTheFinalizers) {
  SocketFolder folder;
  EXPECT_EQ(run_program("listens_and_exits", {folder.socket()}), 0);
  EXPECT_FALSE(is_there(folder.socket()));
}

MPC_PROGRAM(listens_and_moves) {
  MUST(chdir(arguments[0].c_str()) == 0);
  MUST(mpc_group_listen("group") == MPC_OK);
  MUST(chdir("/") == 0);
  MUST(mpc_group_leave() == MPC_OK);
  MUST(!is_there(arguments[0] + "/group"));
  MUST(chdir(arguments[0].c_str()) == 0);
  MUST(mpc_group_listen("group") == MPC_OK);
  MUST(chdir("/") == 0);
  return 0;
}

TEST(JoinPathProgramTest, ARelativePathGoesAlsoAfterTheWorkingDirectoryChanged) {
  SocketFolder folder;
  EXPECT_EQ(run_program("listens_and_moves", {folder.path()}), 0);
  EXPECT_FALSE(is_there(folder.socket()));
}

MPC_PROGRAM(listens_until_killed) {
  MUST(mpc_group_listen(arguments[0].c_str()) == MPC_OK);
  for (;;) pause();
}

TEST(JoinPathProgramTest, WhatAKilledProcessLeftIsReplaced) {
  SocketFolder folder;
  {
    RunningProgram owner("listens_until_killed", {folder.socket()});
    ASSERT_EQ(join_when_there(folder.socket()), MPC_OK) << last_message();
    ASSERT_EQ(mpc_group_leave(), MPC_OK);
    kill(owner.pid(), SIGKILL);
    owner.wait();
  }
  EXPECT_TRUE(is_there(folder.socket()));
  EXPECT_EQ(mpc_group_join_path(folder.socket().c_str(), kLongEnough), MPC_ECLOSED);
  ASSERT_EQ(mpc_group_listen(folder.socket().c_str()), MPC_OK) << last_message();
  EXPECT_EQ(run_program("joins_and_leaves", {folder.socket()}), 0);
  EXPECT_EQ(mpc_group_leave(), MPC_OK) << last_message();
  EXPECT_FALSE(is_there(folder.socket()));
}

TEST(JoinPathProgramTest, ManyWhoReplaceADeadSocketAtOnceLeaveOneWhoListens) {
  constexpr uint32_t kMany = 8;
  for (int round = 0; round < 20; ++round) {
    SocketFolder folder;
    close(bound_socket(folder.socket(), SOCK_SEQPACKET));
    SharedPage<Count> ready;
    SharedPage<Count> won;
    SharedPage<Count> tried;
    SharedPage<Count> end;
    pid_t children[kMany];
    for (pid_t& child : children) {
      child = fork_and([&] {
        MUST(mpc_group_join() == MPC_OK);
        ready->add();
        MUST(ready->reaches(kMany));
        mpc_status status = mpc_group_listen(folder.socket().c_str());
        MUST(status == MPC_OK || status == MPC_ESTATE);
        if (status == MPC_OK) won->add();
        tried->add();
        MUST(end->reaches(1));
        MUST(mpc_group_leave() == MPC_OK);
        return 0;
      });
    }
    EXPECT_TRUE(tried->reaches(kMany));
    EXPECT_EQ(won->value(), 1u);
    EXPECT_EQ(mpc_group_join_path(folder.socket().c_str(), kLongEnough), MPC_OK);
    EXPECT_EQ(mpc_group_leave(), MPC_OK);
    end->set(1);
    for (pid_t child : children) EXPECT_EQ(wait_for(child), 0);
    EXPECT_FALSE(is_there(folder.socket()));
  }
}

TEST(JoinPathProgramTest, NothingElseAtThePathIsRemoved) {
  SocketFolder folder;
  std::string path = folder.socket();
  int file = open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  EXPECT_EQ(mpc_group_listen(path.c_str()), MPC_ESTATE);
  EXPECT_NE(last_message().find("no socket"), std::string::npos);
  EXPECT_TRUE(is_there(path));
  close(file);
  unlink(path.c_str());
  for (int type : {SOCK_SEQPACKET, SOCK_STREAM, SOCK_DGRAM}) {
    int bound = bound_socket(path, type);
    EXPECT_EQ(listen(bound, 1) == 0, type != SOCK_DGRAM);
    EXPECT_EQ(mpc_group_listen(path.c_str()), MPC_ESTATE);
    EXPECT_TRUE(is_there(path));
    close(bound);
    unlink(path.c_str());
  }
  // One that is made in the place of ours is another's.
  ASSERT_EQ(mpc_group_listen(path.c_str()), MPC_OK);
  unlink(path.c_str());
  int bound = bound_socket(path, SOCK_STREAM);
  EXPECT_EQ(mpc_group_leave(), MPC_OK);
  EXPECT_TRUE(is_there(path));
  close(bound);
}

TEST(JoinPathProgramTest, PathsThatCannotBeAreRefused) {
  SocketFolder folder;
  std::string missing = folder.path() + "/missing/group";
  std::string too_long = folder.path() + "/" + std::string(sizeof(sockaddr_un::sun_path), 'x');
  std::string longest(sizeof(sockaddr_un::sun_path), '@');
  for (const std::string& path : {std::string(), std::string("@"), too_long, longest + "x"}) {
    EXPECT_EQ(mpc_group_join_path(path.c_str(), 0), MPC_EINVAL) << path;
    EXPECT_EQ(mpc_group_listen(path.c_str()), MPC_EINVAL) << path;
    EXPECT_EQ(mpc_group_leave(), MPC_OK);
  }
  EXPECT_EQ(mpc_group_join_path(nullptr, 0), MPC_EINVAL);
  EXPECT_EQ(mpc_group_listen(nullptr), MPC_EINVAL);
  EXPECT_EQ(mpc_group_leave(), MPC_OK);
  EXPECT_EQ(mpc_group_join_path(missing.c_str(), MPC_FOREVER), MPC_ECLOSED);
  EXPECT_EQ(mpc_group_join_path(folder.socket().c_str(), MPC_FOREVER), MPC_ECLOSED);
  EXPECT_EQ(mpc_group_listen(missing.c_str()), MPC_ESYSTEM);
  EXPECT_NE(last_message().find("ENOENT"), std::string::npos) << last_message();
  EXPECT_EQ(mpc_group_leave(), MPC_OK);
  EXPECT_EQ(mpc_group_listen(longest.c_str()), MPC_OK) << last_message();
  EXPECT_EQ(mpc_group_leave(), MPC_OK);
}

TEST(JoinPathProgramTest, AnAbstractNameIsInNoFolder) {
  std::string name = "@mpc-join-test-" + std::to_string(getpid());
  // The name is free again at once.
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(mpc_group_listen(name.c_str()), MPC_OK) << last_message();
    ASSERT_EQ(mpc_group_unlisten(), MPC_OK) << last_message();
  }
  ASSERT_EQ(mpc_group_listen(name.c_str()), MPC_OK) << last_message();
  EXPECT_FALSE(is_there(name));
  EXPECT_EQ(run_program("joins_and_leaves", {name}), 0);
  EXPECT_EQ(mpc_group_leave(), MPC_OK);
  EXPECT_EQ(mpc_group_join_path(name.c_str(), MPC_FOREVER), MPC_ECLOSED);
}

MPC_PROGRAM(listens_and_closes_all_descriptors) {
  MUST(mpc_group_listen(arguments[0].c_str()) == MPC_OK);
  MUST(syscall(SYS_close_range, 3, ~0u, 0) == 0);
  MUST(run_program("joins_and_leaves", {arguments[0]}) == 0);
  MUST(mpc_group_unlisten() == MPC_OK && !is_there(arguments[0]));
  // The thread has the memory's descriptor no longer, and nobody else has one.
  MUST(mpc_group_listen(arguments[0].c_str()) == MPC_ESYSTEM && !is_there(arguments[0]));
  return 0;
}

TEST(JoinPathProgramTest, AProgramThatClosesAllDescriptorsListensOn) {
  SocketFolder folder;
  EXPECT_EQ(run_program("listens_and_closes_all_descriptors", {folder.socket()}), 0);
}

MPC_PROGRAM(listens_and_replaces_itself) {
  MUST(mpc_group_listen(arguments[0].c_str()) == MPC_OK);
  execl("/bin/sh", "sh", "-c", "exit 0", nullptr);
  return 1;
}

TEST(JoinPathProgramTest, AProgramThatReplacesItselfByExecListensNoMore) {
  SocketFolder folder;
  EXPECT_EQ(run_program("listens_and_replaces_itself", {folder.socket()}), 0);
  EXPECT_EQ(mpc_group_join_path(folder.socket().c_str(), kLongEnough), MPC_ECLOSED);
}

// --- the state of who comes ----------------------------------------------------------------------

TEST(JoinPathProgramTest, WhoBelongsToAGroupJoinsNoOtherAndNotItsOwn) {
  SocketFolder folder;
  ASSERT_EQ(mpc_group_listen(folder.socket().c_str()), MPC_OK);
  EXPECT_EQ(mpc_group_listen((folder.path() + "/other").c_str()), MPC_ESTATE);
  EXPECT_EQ(mpc_group_join_path(folder.socket().c_str(), MPC_FOREVER), MPC_ESTATE);
  EXPECT_NE(last_message().find("mpc_group_leave"), std::string::npos);
  pid_t child = fork_and([&] {
    return mpc_group_join_path(folder.socket().c_str(), MPC_FOREVER) == MPC_ESTATE ? 0 : 1;
  });
  EXPECT_EQ(wait_for(child), 0);
  EXPECT_EQ(mpc_group_leave(), MPC_OK);
}

MPC_PROGRAM(joins_with_the_address_taken) {
  auto* address = reinterpret_cast<void*>(strtoull(arguments[1].c_str(), nullptr, 10) + (1 << 20));
  MUST(mmap(address, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) ==
       address);
  MachineState before = MachineState::now();
  MUST(mpc_group_join_path(arguments[0].c_str(), kLongEnough) == MPC_ESYSTEM);
  MUST(last_message().find("not free here") != std::string::npos);
  MUST(MachineState::now().descriptors == before.descriptors);
  MUST(munmap(address, 4096) == 0);
  MUST(mpc_group_join_path(arguments[0].c_str(), kLongEnough) == MPC_OK);
  MUST(mpc_group_leave() == MPC_OK);
  MUST(MachineState::now().descriptors == before.descriptors);
  return 0;
}

MPC_PROGRAM(joins_with_little_address_space) {
  rlimit before;
  MUST(getrlimit(RLIMIT_AS, &before) == 0);
  rlimit little{rlim_t{1} << 30, before.rlim_max};
  MUST(setrlimit(RLIMIT_AS, &little) == 0);
  MUST(mpc_group_join_path(arguments[0].c_str(), kLongEnough) == MPC_ESYSTEM);
  MUST(last_message().find("RLIMIT_AS") != std::string::npos);
  MUST(setrlimit(RLIMIT_AS, &before) == 0);
  MUST(mpc_group_join_path(arguments[0].c_str(), kLongEnough) == MPC_OK);
  return 0;
}

TEST(JoinPathProgramTest, WhereTheAddressIsNotFreeJoiningSaysSo) {
  SocketFolder folder;
  ASSERT_EQ(mpc_group_listen(folder.socket().c_str()), MPC_OK);
  EXPECT_EQ(run_program("joins_with_the_address_taken",
                        {folder.socket(), std::to_string(figures().address)}),
            0);
#ifndef MPC_TEST_SANITIZED
  EXPECT_EQ(run_program("joins_with_little_address_space", {folder.socket()}), 0);
#endif
  EXPECT_EQ(mpc_group_leave(), MPC_OK) << last_message();
}

MPC_PROGRAM(joins_without_a_free_descriptor) {
  rlimit before;
  MUST(getrlimit(RLIMIT_NOFILE, &before) == 0);
  for (rlim_t most : {3, 4}) {
    rlimit few{most, before.rlim_max};
    MUST(setrlimit(RLIMIT_NOFILE, &few) == 0);
    MUST(mpc_group_join_path(arguments[0].c_str(), kLongEnough) == MPC_ESYSTEM);
    MUST(last_message().find("RLIMIT_NOFILE") != std::string::npos);
  }
  MUST(setrlimit(RLIMIT_NOFILE, &before) == 0);
  MUST(mpc_group_join_path(arguments[0].c_str(), kLongEnough) == MPC_OK);
  return 0;
}

TEST(JoinPathProgramTest, WhoHasNoFreeDescriptorIsToldSo) {
  SocketFolder folder;
  ASSERT_EQ(mpc_group_listen(folder.socket().c_str()), MPC_OK);
  EXPECT_EQ(run_program("joins_without_a_free_descriptor", {folder.socket()}), 0);
  EXPECT_EQ(mpc_group_leave(), MPC_OK) << last_message();
}

}  // namespace
}  // namespace mpc::test
