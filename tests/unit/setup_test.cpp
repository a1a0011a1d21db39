// SPDX-License-Identifier: Apache-2.0
#include "process/setup.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include "base/flat_bytes.hpp"

namespace mpc {
namespace {

ProcessSetup everything() {
  ProcessSetup setup;
  setup.working_directory = "/somewhere";
  setup.environment = std::string("A=1\0B=2\0", 8);
  setup.streams[0] = StandardStream{MPC_STDIO_FILE, 0, "in.txt"};
  setup.streams[1] = StandardStream{MPC_STDIO_PIPE, 0, ""};
  setup.streams[2] = StandardStream{MPC_STDIO_DESCRIPTOR, 7, ""};
  setup.process_group = MPC_PROCESS_GROUP_SESSION;
  setup.nice = -3;
  setup.limits = {{RLIMIT_NOFILE, 0, 100, 200}, {RLIMIT_CORE, 0, 0, RLIM_INFINITY}};
  setup.cpus = {0, 1, 700};
  setup.descriptors = {{7, 9}, {8, 7}};
  return setup;
}

TEST(ProcessSetupTest, IsEmptyUntilSomethingIsChosen) {
  EXPECT_TRUE(ProcessSetup().empty());
  EXPECT_FALSE(everything().empty());
  ProcessSetup setup;
  setup.environment = "";
  EXPECT_FALSE(setup.empty()) << "no environment at all is a choice";
  setup = ProcessSetup();
  setup.streams[2].kind = MPC_STDIO_INHERIT;
  EXPECT_FALSE(setup.empty());
}

TEST(ProcessSetupTest, IsTheSameAfterPackingAndUnpacking) {
  ProcessSetup setup = everything();
  Result<ProcessSetup> same = setup_unpack(setup_pack(setup));
  ASSERT_TRUE(same) << same.error().message;
  EXPECT_EQ(same->working_directory, setup.working_directory);
  EXPECT_EQ(same->environment, setup.environment);
  EXPECT_EQ(same->streams, setup.streams);
  EXPECT_EQ(same->process_group, setup.process_group);
  EXPECT_EQ(same->nice, setup.nice);
  ASSERT_EQ(same->limits.size(), 2u);
  EXPECT_EQ(same->limits[1].hard, RLIM_INFINITY);
  EXPECT_EQ(same->cpus, setup.cpus);
  ASSERT_EQ(same->descriptors.size(), 2u);
  EXPECT_EQ(same->descriptors[1].child, 7);
  EXPECT_EQ(setup_pack(*same), setup_pack(setup));
}

TEST(ProcessSetupTest, AnEmptyOneStaysEmpty) {
  Result<ProcessSetup> same = setup_unpack(setup_pack(ProcessSetup()));
  ASSERT_TRUE(same);
  EXPECT_TRUE(same->empty());
}

TEST(ProcessSetupTest, BytesThatAreCutAnywhereAreRefused) {
  std::string bytes = setup_pack(everything());
  for (size_t size = 0; size < bytes.size(); ++size) {
    Result<ProcessSetup> cut = setup_unpack(std::string_view(bytes).substr(0, size));
    ASSERT_FALSE(cut) << size;
    EXPECT_EQ(cut.error().status, MPC_EINTERNAL);
  }
}

TEST(ProcessSetupTest, BytesThatGoOnBehindTheEndAreRefused) {
  EXPECT_FALSE(setup_unpack(setup_pack(everything()) + '\0'));
}

// Whatever a number becomes, nothing is read or made that is not there.
TEST(ProcessSetupTest, SizesThatAreWrongAreRefusedOrReadWithinTheBytes) {
  std::string bytes = setup_pack(everything());
  for (size_t at = 0; at < bytes.size(); ++at) {
    for (char wrong : {'\x7f', '\xff'}) {
      std::string damaged = bytes;
      damaged[at] = wrong;
      Result<ProcessSetup> read = setup_unpack(damaged);
      EXPECT_TRUE(!read || setup_pack(*read).size() == bytes.size()) << at;
    }
  }
}

TEST(FlatBytesTest, ACountThatWouldOverflowIsRefused) {
  FlatWriter writer;
  writer.put(UINT64_MAX / 4 + 1);
  writer.put(uint64_t{0});
  std::string bytes = writer.take();
  FlatReader reader(bytes);
  std::vector<uint64_t> values = {1};
  reader.get_list(values);
  EXPECT_TRUE(values.empty());
  EXPECT_FALSE(reader.done());
}

}  // namespace
}  // namespace mpc
