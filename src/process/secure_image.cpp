// SPDX-License-Identifier: Apache-2.0
#include "process/secure_image.hpp"

#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

namespace mpc {
namespace {

// The kernel compares what the image would have with the real user and group of who executes it.
bool sets_another_id(const struct stat& file) {
  constexpr mode_t kSetGroup = S_ISGID | S_IXGRP;  // the one without the other: a kind of lock
  return ((file.st_mode & S_ISUID) != 0 && file.st_uid != getuid()) ||
         ((file.st_mode & kSetGroup) == kSetGroup && file.st_gid != getgid());
}

// To root no capabilities are given that it would not have anyway.
bool gives_capabilities(const char* path) {
  return getuid() != 0 && getxattr(path, "security.capability", nullptr, 0) > 0;
}

bool gifts_are_ignored(const char* path) {
  struct statvfs there;
  return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ||
         (statvfs(path, &there) == 0 && (there.f_flag & ST_NOSUID) != 0);
}

// This image itself runs in secure mode, and not for what its user and group were at its start: by
// a capability whose file is not to be seen, or by a security module.
bool was_secured_otherwise(const Image& image) {
  return !image.names_child && getauxval(AT_SECURE) != 0 &&
         getauxval(AT_UID) == getauxval(AT_EUID) && getauxval(AT_GID) == getauxval(AT_EGID);
}

Error refused(const char* reason, const char* way_out) {
  return failure(MPC_ENOTSUP,
                 "%s, so the kernel would have a fresh image run in secure mode, where it cannot "
                 "become a child; use fork, or %s",
                 reason, way_out);
}

}  // namespace

Result<void> image_check_not_secure(const Image& image, const std::string& path) {
  bool ids_differ = geteuid() != getuid() || getegid() != getgid();
  struct stat file;
  bool readable = stat(path.c_str(), &file) == 0;
  bool sets_id = readable && sets_another_id(file) && !gifts_are_ignored(path.c_str());
  if (sets_id && ids_differ) {
    return refused("the program's file is setuid or setgid",
                   "take its user and group for real ones by setresuid() and setresgid()");
  }
  if (ids_differ) {
    return refused("the effective user or group is not the real one",
                   "make them equal by setresuid() and setresgid()");
  }
  bool gives = sets_id || was_secured_otherwise(image) ||
               (readable && gives_capabilities(path.c_str()) && !gifts_are_ignored(path.c_str()));
  if (!gives) return {};
  return refused("the program's file gives it more rights than its user has",
                 "put the function in a shared library, which is run by mpc-worker");
}

}  // namespace mpc
