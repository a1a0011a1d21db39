// SPDX-License-Identifier: Apache-2.0
// The files below some folders, and the counting of their words.
//
// Symbolic links are not followed, and a file that is met twice (a hard link, a folder named twice)
// is taken once. A file with a NUL byte in its first 4 KiB is binary and is not counted. A file of
// more than 8 MiB is huge: it is counted in parts of 4 MiB, each of which may go to another
// process. A word belongs to the part that it begins in.
#ifndef WORDCOUNT_FILES_H
#define WORDCOUNT_FILES_H

#include "wordcount_table.h"

typedef struct found_file {
  char* path;
  uint64_t size;
  uint64_t device;
  uint64_t inode;
} found_file;

// All zero is an empty list.
typedef struct file_list {
  found_file* files;
  size_t count;
  size_t capacity;
  uint64_t bytes;
  uint64_t huge;
  uint64_t unreadable_folders;
} file_list;

// What happened to the files; sums of tallies are tallies.
typedef struct file_tally {
  uint64_t text;
  uint64_t text_bytes;
  uint64_t binary;
  uint64_t unreadable;  // files, or parts of huge ones
} file_tally;

// A share of the files: for each part of a file its offset and length in eight bytes each, then its
// path and a NUL.
typedef struct file_share {
  char* data;
  size_t size;
  uint64_t cost;  // in bytes of text, more or less
} file_share;

typedef struct share_list {
  file_share* shares;
  size_t count;
} share_list;

// Adds the regular files below a folder. Returns 0, or -1 with errno set.
int file_list_add(file_list* list, const char* folder);

// Takes out what is there twice. To be called after the last folder was added.
void file_list_settle(file_list* list);
void file_list_free(file_list* list);

// Cuts the files into shares for processes that each take the next one when they are done: large
// ones first, and towards the end smaller and smaller ones, so that all end at the same time and
// few tables have to be merged. Returns 0, or -1 where memory is used up.
int share_files(const file_list* list, size_t processes, share_list* out);

void share_list_free(share_list* list);

// Counts the words of a share. Returns 0, or -1 where memory is used up.
int count_share(const void* data, size_t size, word_table* table, file_tally* tally);

void file_tally_add(file_tally* tally, const file_tally* more);

#endif
