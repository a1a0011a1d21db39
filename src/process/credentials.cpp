// SPDX-License-Identifier: Apache-2.0
#include "process/credentials.hpp"

#include <fcntl.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <vector>

#include "base/flat_bytes.hpp"

namespace mpc {
namespace {

// Another number for the root means another mount namespace, though its folder is the same.
constexpr unsigned kMountId = 0x1000;  // STATX_MNT_ID, Linux 5.8

std::vector<gid_t> groups_now() {
  std::array<gid_t, 64> few;
  int count = getgroups(few.size(), few.data());
  if (count >= 0) return {few.begin(), few.begin() + count};
  std::vector<gid_t> groups;
  while ((count = getgroups(0, nullptr)) > 0) {
    groups.resize(static_cast<size_t>(count));
    count = getgroups(count, groups.data());
    if (count >= 0) break;
  }
  groups.resize(count > 0 ? static_cast<size_t>(count) : 0);
  return groups;
}

std::array<uint32_t, 6> capabilities_now() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> halves{};
  syscall(SYS_capget, &header, halves.data());
  return {halves[0].effective, halves[1].effective,   halves[0].permitted,
          halves[1].permitted, halves[0].inheritable, halves[1].inheritable};
}

std::array<uint64_t, 4> root_now() {
  struct statx root {};
  if (statx(AT_FDCWD, "/", AT_NO_AUTOMOUNT, STATX_INO | kMountId, &root) != 0) return {};
  return {root.stx_ino, root.stx_dev_major, root.stx_dev_minor,
          (root.stx_mask & kMountId) != 0 ? root.stx_mnt_id : 0};
}

}  // namespace

std::string credentials_now() {
  std::array<uid_t, 3> uids{};
  std::array<gid_t, 3> gids{};
  getresuid(&uids[0], &uids[1], &uids[2]);
  getresgid(&gids[0], &gids[1], &gids[2]);
  FlatWriter writer;
  writer.put(uids);
  writer.put(gids);
  writer.put_list(groups_now());
  writer.put(capabilities_now());
  writer.put(int32_t{prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)});
  writer.put(int32_t{prctl(PR_GET_SECCOMP, 0, 0, 0, 0)});
  writer.put(root_now());
  return writer.take();
}

}  // namespace mpc
