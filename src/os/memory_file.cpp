// SPDX-License-Identifier: Apache-2.0
#include "os/memory_file.hpp"

#include <dirent.h>
#include <sys/stat.h>

#include <string>

namespace mpc {
namespace {

// Calls `visit(path)` with every entry of a folder until it returns true.
template <class Visit>
void each_entry(const std::string& folder, Visit visit) {
  DIR* entries = opendir(folder.c_str());
  if (entries == nullptr) return;
  while (const dirent* entry = readdir(entries)) {
    if (entry->d_name[0] != '.' && visit(folder + "/" + entry->d_name)) break;
  }
  closedir(entries);
}

}  // namespace

Fd open_memory_file_of(int32_t pid, unsigned long device, unsigned long inode) {
  Fd found;
  each_entry("/proc/" + std::to_string(pid) + "/task", [&](const std::string& thread) {
    each_entry(thread + "/fd", [&](const std::string& path) {
      struct stat st;
      if (stat(path.c_str(), &st) != 0 || st.st_dev != device || st.st_ino != inode) return false;
      found = above_standard(Fd(open(path.c_str(), O_RDWR | O_CLOEXEC)));
      return static_cast<bool>(found);
    });
    return static_cast<bool>(found);
  });
  return found;
}

}  // namespace mpc
