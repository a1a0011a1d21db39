// SPDX-License-Identifier: Apache-2.0
#include "watched_range.hpp"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <string>

#include "fault.hpp"

namespace kill_tests {
namespace {

// The mapping that begins at an address: its end and its file's inode.
bool find_mapping(uint64_t address, uint64_t& out_end, uint64_t& out_inode) {
  FILE* maps = fopen("/proc/self/maps", "re");
  if (maps == nullptr) return false;
  char line[1024];
  bool found = false;
  while (!found && fgets(line, sizeof line, maps) != nullptr) {
    unsigned long long begin;
    unsigned long long end;
    unsigned long long inode;
    if (sscanf(line, "%llx-%llx %*s %*s %*s %llu", &begin, &end, &inode) != 3) continue;
    found = begin == address;
    out_end = end;
    out_inode = inode;
  }
  fclose(maps);
  return found;
}

// A file description of its own, so that seeking in it disturbs nobody.
int open_mapped_file(uint64_t address) {
  uint64_t end = 0;
  uint64_t inode = 0;
  if (!find_mapping(address, end, inode)) return -1;
  char path[96];
  snprintf(path, sizeof path, "/proc/self/map_files/%llx-%llx",
           static_cast<unsigned long long>(address), static_cast<unsigned long long>(end));
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file >= 0) return file;
  DIR* folder = opendir("/proc/self/fd");
  if (folder == nullptr) return -1;
  while (const dirent* entry = readdir(folder)) {
    struct stat st;
    std::string name = std::string("/proc/self/fd/") + entry->d_name;
    if (stat(name.c_str(), &st) == 0 && S_ISREG(st.st_mode) && st.st_ino == inode) {
      file = open(name.c_str(), O_RDONLY | O_CLOEXEC);
      if (file >= 0) break;
    }
  }
  closedir(folder);
  return file;
}

int64_t page_count(int file) {
  struct stat st;
  return fstat(file, &st) == 0 ? st.st_blocks : -1;
}

}  // namespace

WatchedRange::WatchedRange(const void* address) : base_(static_cast<const char*>(address)) {
  file_ = open_mapped_file(reinterpret_cast<uint64_t>(address));
  if (file_ < 0) fault("the file behind the memory to watch cannot be opened: %s", strerror(errno));
  pages_ = page_count(file_);
  list_pages();
}

WatchedRange::~WatchedRange() { close(file_); }

void WatchedRange::list_pages() {
  pieces_.clear();
  off_t at = 0;
  for (;;) {
    off_t begin = lseek(file_, at, SEEK_DATA);
    if (begin < 0) break;
    off_t end = lseek(file_, begin, SEEK_HOLE);
    if (end < 0) break;
    pieces_.push_back({begin, std::vector<char>(base_ + begin, base_ + end)});
    at = end;
  }
}

bool WatchedRange::pages_changed() {
  int64_t now = page_count(file_);
  if (now == pages_) return false;
  pages_ = now;
  list_pages();
  return true;
}

bool WatchedRange::changed() {
  if (pages_changed()) return true;
  bool any = false;
  for (Piece& piece : pieces_) {
    if (memcmp(base_ + piece.offset, piece.seen.data(), piece.seen.size()) == 0) continue;
    memcpy(piece.seen.data(), base_ + piece.offset, piece.seen.size());
    any = true;
  }
  return any;
}

uint64_t WatchedRange::populated_bytes() const {
  uint64_t bytes = 0;
  for (const Piece& piece : pieces_) bytes += piece.seen.size();
  return bytes;
}

}  // namespace kill_tests
