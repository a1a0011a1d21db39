// SPDX-License-Identifier: Apache-2.0
#include "os/mapping.hpp"

#include <errno.h>
#include <gtest/gtest.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "emulated_madvise.hpp"
#include "os/cpu.hpp"

namespace mpc {
namespace {

constexpr uint64_t kSize = 64 << 20;

class MappingTest : public testing::Test {
 protected:
  void SetUp() override {
    Result<Mapping> mapped = map_group_memory(kSize, kSize);
    ASSERT_TRUE(mapped) << mapped.error().message;
    mapping_ = *mapped;
  }
  void TearDown() override {
    int fd = mapping_.fd;
    unmap_group_memory(mapping_);
    if (fd >= 0) close(fd);
  }
  uint64_t backed() {
    struct stat st;
    EXPECT_EQ(fstat(mapping_.fd, &st), 0);
    return static_cast<uint64_t>(st.st_blocks) * 512;
  }
  Mapping mapping_;
};

TEST_F(MappingTest, TakesNoMemoryUntilItIsUsed) {
  EXPECT_EQ(backed(), 0u);
  mapping_.base[kSize / 2] = 1;
  EXPECT_GT(backed(), 0u);
  EXPECT_LE(backed(), uint64_t{2} << 20) << "at most one huge page";
}

TEST_F(MappingTest, CannotBeResizedByAnybody) {
  EXPECT_EQ(ftruncate(mapping_.fd, kSize / 2), -1);
  EXPECT_EQ(errno, EPERM);
  EXPECT_EQ(ftruncate(mapping_.fd, kSize * 2), -1);
}

TEST_F(MappingTest, PopulateBacksPagesAndKeepsWhatIsInThem) {
  MPC_SKIP_WHERE_MADVISE_DOES_NOTHING();
  char* middle = mapping_.base + (1 << 20) + 100;
  *middle = 'k';
  ASSERT_TRUE(populate(middle - 5000, 20'000));
  EXPECT_EQ(*middle, 'k');
  EXPECT_GE(backed(), 20'000u);
}

TEST_F(MappingTest, GivesBackWholePagesAndNothingBesideThem) {
  MPC_SKIP_WHERE_MADVISE_DOES_NOTHING();
  memset(mapping_.base, 'x', 1 << 20);
  uint64_t before = backed();
  give_back(mapping_.base + 100, (1 << 20) - 200);
  EXPECT_LT(backed(), before);
  EXPECT_EQ(mapping_.base[99], 'x');
  EXPECT_EQ(mapping_.base[100], 'x') << "its page is not whole";
  EXPECT_EQ(mapping_.base[(1 << 20) - 1], 'x');
  EXPECT_EQ(mapping_.base[1 << 19], 0);
}

TEST_F(MappingTest, IsKnownByTheFileThatItMaps) {
  struct stat st;
  ASSERT_EQ(fstat(mapping_.fd, &st), 0);
  EXPECT_EQ(mapping_.inode, st.st_ino);
  EXPECT_EQ(mapping_.device, st.st_dev);
}

TEST(MachineLimitsTest, AtLeastOneCpuAndSomeMemoryMayBeUsed) {
  EXPECT_GE(usable_cpus(), 1u);
  EXPECT_LE(usable_cpus(), static_cast<uint32_t>(sysconf(_SC_NPROCESSORS_CONF)));
  EXPECT_GE(usable_memory(), uint64_t{1} << 20);
  EXPECT_LE(usable_memory(), static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) *
                                 static_cast<uint64_t>(sysconf(_SC_PAGESIZE)));
}

}  // namespace
}  // namespace mpc
