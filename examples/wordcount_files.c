// SPDX-License-Identifier: Apache-2.0
#define _XOPEN_SOURCE 700
#define _FILE_OFFSET_BITS 64
#include "wordcount_files.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { kFirstBlock = 4096, kWindow = 256 * 1024, kMostOpenFolders = 32 };

static const uint64_t kHuge = 8 << 20;
static const uint64_t kPart = 4 << 20;
// Opening, reading and closing a file takes as long as counting this many bytes.
static const uint64_t kFileCost = 4 << 10;
static const uint64_t kLeastShare = 256 << 10;

// nftw() hands nothing of the caller's to its callback.
static file_list* g_walked;

static int visit(const char* path, const struct stat* status, int kind, struct FTW* where) {
  (void)where;
  file_list* list = g_walked;
  if (kind == FTW_DNR || kind == FTW_NS) list->unreadable_folders++;
  if (kind != FTW_F || !S_ISREG(status->st_mode)) return 0;
  if (list->count == list->capacity) {
    const size_t capacity = 2 * list->capacity + 1024;
    found_file* files = realloc(list->files, capacity * sizeof(*files));
    if (files == NULL) return -1;
    list->files = files;
    list->capacity = capacity;
  }
  char* copy = strdup(path);
  if (copy == NULL) return -1;
  list->files[list->count++] = (found_file){copy, (uint64_t)status->st_size,
                                            (uint64_t)status->st_dev, (uint64_t)status->st_ino};
  return 0;
}

int file_list_add(file_list* list, const char* folder) {
  // A link that the user names himself is what he means; only those below are left alone.
  char* resolved = realpath(folder, NULL);
  if (resolved == NULL) return -1;
  g_walked = list;
  const int result = nftw(resolved, visit, kMostOpenFolders, FTW_PHYS);
  const int error = errno;
  free(resolved);
  errno = error;
  return result == 0 ? 0 : -1;
}

static int by_inode(const void* one, const void* other) {
  const found_file* a = one;
  const found_file* b = other;
  if (a->device != b->device) return a->device < b->device ? -1 : 1;
  if (a->inode != b->inode) return a->inode < b->inode ? -1 : 1;
  return strcmp(a->path, b->path);
}

static int by_path(const void* one, const void* other) {
  return strcmp(((const found_file*)one)->path, ((const found_file*)other)->path);
}

void file_list_settle(file_list* list) {
  size_t kept = 0;
  if (list->count > 0) qsort(list->files, list->count, sizeof(found_file), by_inode);
  list->bytes = list->huge = 0;
  for (size_t i = 0; i < list->count; i++) {
    found_file* file = &list->files[i];
    const found_file* last = kept > 0 ? &list->files[kept - 1] : NULL;
    if (last != NULL && last->device == file->device && last->inode == file->inode) {
      free(file->path);
      continue;
    }
    list->bytes += file->size;
    list->huge += file->size > kHuge;
    list->files[kept++] = *file;
  }
  list->count = kept;
  if (kept > 0) qsort(list->files, kept, sizeof(found_file), by_path);
}

void file_list_free(file_list* list) {
  for (size_t i = 0; i < list->count; i++) free(list->files[i].path);
  free(list->files);
  *list = (file_list){0};
}

typedef struct file_part {
  const found_file* file;
  uint64_t offset;
  uint64_t length;
} file_part;

static uint64_t part_cost(const file_part* part) { return part->length + kFileCost; }

static int larger_first(const void* one, const void* other) {
  const file_part* a = one;
  const file_part* b = other;
  if (a->length != b->length) return a->length > b->length ? -1 : 1;
  const int path = strcmp(a->file->path, b->file->path);
  if (path != 0) return path;
  return a->offset < b->offset ? -1 : 1;
}

static file_part* cut_into_parts(const file_list* list, size_t* out_count) {
  size_t most = 1;
  for (size_t i = 0; i < list->count; i++) most += 1 + (size_t)(list->files[i].size / kPart);
  file_part* parts = malloc(most * sizeof(*parts));
  if (parts == NULL) return NULL;
  size_t count = 0;
  for (size_t i = 0; i < list->count; i++) {
    const found_file* file = &list->files[i];
    const uint64_t step = file->size > kHuge ? kPart : file->size;
    uint64_t offset = 0;
    do {
      const uint64_t left = file->size - offset;
      parts[count++] = (file_part){file, offset, left < step ? left : step};
      offset += step;
    } while (offset < file->size);
  }
  qsort(parts, count, sizeof(*parts), larger_first);
  *out_count = count;
  return parts;
}

static int append_part(file_share* share, const file_part* part) {
  const size_t path_size = strlen(part->file->path) + 1;
  const size_t more = 2 * sizeof(uint64_t) + path_size;
  // Grows when the size passes a power of two, so that a share needs no capacity of its own.
  size_t capacity = 4096;
  while (capacity < share->size) capacity *= 2;
  if (share->data == NULL || share->size + more > capacity) {
    while (capacity < share->size + more) capacity *= 2;
    char* data = realloc(share->data, capacity);
    if (data == NULL) return -1;
    share->data = data;
  }
  char* at = share->data + share->size;
  memcpy(at, &part->offset, sizeof(part->offset));
  memcpy(at + sizeof(uint64_t), &part->length, sizeof(part->length));
  memcpy(at + 2 * sizeof(uint64_t), part->file->path, path_size);
  share->size += more;
  share->cost += part_cost(part);
  return 0;
}

int share_files(const file_list* list, size_t processes, share_list* out) {
  size_t part_count = 0;
  file_part* parts = cut_into_parts(list, &part_count);
  share_list made = {parts == NULL ? NULL : calloc(part_count + 1, sizeof(file_share)), 0};
  uint64_t left = 0;
  for (size_t i = 0; i < part_count; i++) left += part_cost(&parts[i]);
  int result = made.shares == NULL ? -1 : 0;
  for (size_t next = 0; result == 0 && next < part_count;) {
    file_share* share = &made.shares[made.count++];
    uint64_t wanted = left / (2 * processes);
    if (wanted < kLeastShare) wanted = kLeastShare;
    while (result == 0 && next < part_count && share->cost < wanted) {
      result = append_part(share, &parts[next++]);
    }
    left -= share->cost;
  }
  free(parts);
  if (result != 0) {
    share_list_free(&made);
    return -1;
  }
  *out = made;
  return 0;
}

void share_list_free(share_list* list) {
  for (size_t i = 0; i < list->count; i++) free(list->shares[i].data);
  free(list->shares);
  *list = (share_list){0};
}

static ssize_t read_at(int file, char* data, size_t size, uint64_t offset) {
  size_t got = 0;
  while (got < size) {
    const ssize_t n = pread(file, data + got, size - got, (off_t)(offset + got));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return -1;
    if (n == 0) break;
    got += (size_t)n;
  }
  return (ssize_t)got;
}

static uint64_t least(uint64_t one, uint64_t other) { return one < other ? one : other; }

static size_t leading_letters(const char* text, size_t size) {
  size_t n = 0;
  while (n < size && ((text[n] | 0x20) >= 'a' && (text[n] | 0x20) <= 'z')) n++;
  return n;
}

// Counts the words that begin in [offset, offset + length). Reading begins one byte earlier, to see
// whether a word is under way there, and ends as far behind as the longest word may reach.
static int count_open_file(int file, uint64_t offset, uint64_t length, word_table* table,
                           file_tally* tally) {
  static char window[kLongestWord + kWindow + 1];
  const uint64_t end = offset + length;
  const uint64_t stop = end + kLongestWord + 1;
  uint64_t at = offset > 0 ? offset - 1 : 0;
  int skip_letters = offset > 0;
  size_t kept = 0;
  if (offset > 0) {
    const ssize_t got = read_at(file, window, kFirstBlock, 0);
    if (got < 0) tally->unreadable++;
    if (got < 0 || memchr(window, 0, (size_t)got) != NULL) return 0;
  }
  for (;;) {
    const size_t wanted = (size_t)least(kWindow, stop - at);
    const ssize_t got = read_at(file, window + kept, wanted, at);
    if (got < 0) {
      tally->unreadable++;
      return 0;
    }
    if (at == 0) {
      if (memchr(window, 0, (size_t)least(kFirstBlock, (uint64_t)got)) != NULL) {
        tally->binary++;
        return 0;
      }
      tally->text++;
    }
    const uint64_t base = at - kept;
    const size_t size = kept + (size_t)got;
    at += (uint64_t)got;
    const int more = (size_t)got == wanted && at < stop;
    const size_t skipped = skip_letters ? leading_letters(window, size) : 0;
    size_t rest = size;
    if (skipped < size) {
      skip_letters = 0;
      const size_t limit = end > base ? (size_t)least(end - base, size) : 0;
      if (limit > skipped) {
        if (word_table_scan(table, window + skipped, size - skipped, limit - skipped, more,
                            &rest) != 0) {
          return -1;
        }
        rest += skipped;
      }
    }
    if (!more) break;
    kept = size - rest;
    if (kept > kLongestWord) {
      skip_letters = 1;
      kept = 0;
    }
    memmove(window, window + rest, kept);
  }
  const uint64_t reached = least(at, end);
  if (reached > offset) tally->text_bytes += reached - offset;
  return 0;
}

int count_share(const void* data, size_t size, word_table* table, file_tally* tally) {
  const char* at = data;
  const char* const end = at + size;
  while (at < end) {
    uint64_t offset;
    uint64_t length;
    memcpy(&offset, at, sizeof(offset));
    memcpy(&length, at + sizeof(offset), sizeof(length));
    const char* path = at + sizeof(offset) + sizeof(length);
    at = path + strlen(path) + 1;
    // What was a file when the folder was read may be a pipe by now.
    const int file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (file < 0) {
      tally->unreadable++;
      continue;
    }
    const int result = count_open_file(file, offset, length, table, tally);
    close(file);
    if (result != 0) return -1;
  }
  return 0;
}

void file_tally_add(file_tally* tally, const file_tally* more) {
  tally->text += more->text;
  tally->text_bytes += more->text_bytes;
  tally->binary += more->binary;
  tally->unreadable += more->unreadable;
}
