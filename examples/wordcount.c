// SPDX-License-Identifier: Apache-2.0
// Counts the words of all files below some folders with a pool of processes, and again in this
// process alone: the twenty most frequent words, and how much faster the pool is.
//
// wordcount_pool.c is where the library is used, wordcount_files.c finds and reads the files,
// wordcount_table.c counts words.
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "wordcount_pool.h"

enum { kTop = 20, kRounds = 5, kMostWorkers = 4000 };

static const char* const kDefaultFolders[] = {"/usr/share/doc", "/usr/share/common-licenses"};
static const char* const kMoreFolders[] = {"/usr/include", "/usr/share"};
static const uint64_t kEnough = 100000000;

static const char kHelp[] =
    "usage: wordcount [--workers N] [--once] [FOLDER...]\n"
    "\n"
    "Counts the words of every file below the folders with a pool of processes, prints the twenty\n"
    "most frequent ones, and compares time and result with one process. A word is a run of 1 to\n"
    "255 ASCII letters, taken as lower case.\n"
    "\n"
    "  --workers N  processes in the pool; default: one a CPU that this process may use\n"
    "  --once       count once, with the pool, and compare nothing\n"
    "  --help       print this\n"
    "\n"
    "Without folders: /usr/share/doc and /usr/share/common-licenses, and where these hold less\n"
    "than 100 MB also /usr/include and /usr/share.\n";

typedef struct request {
  uint32_t workers;
  int once;
  char** folders;
  size_t folder_count;
} request;

typedef struct count {
  word_table table;
  file_tally tally;
} count;

typedef struct bar {
  int shown;
  int percent;
  const char* what;
} bar;

static int failed(const char* what, const char* why) {
  fprintf(stderr, "wordcount: %s: %s\n", what, why);
  return 1;
}

static int library_failed(const char* what) {
  char message[512] = "out of memory";
  mpc_last_error_message(message, sizeof(message));
  return failed(what, message);
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static int in_order(const void* one, const void* other) {
  const double a = *(const double*)one;
  const double b = *(const double*)other;
  return (a > b) - (a < b);
}

static double median(double* values, size_t number) {
  qsort(values, number, sizeof(*values), in_order);
  return (values[(number - 1) / 2] + values[number / 2]) / 2;
}

static void draw(double fraction, void* user_data) {
  bar* shown = user_data;
  const int percent = (int)(100 * fraction + 0.5);
  if (percent == shown->percent) return;
  shown->percent = percent;
  char line[41];
  for (int i = 0; i < 40; i++) line[i] = i * 100 < percent * 40 ? '#' : '.';
  line[40] = '\0';
  fprintf(stderr, "\r%s [%s] %3d%%", shown->what, line, percent);
}

static void erase(const bar* shown) {
  if (shown->shown) fprintf(stderr, "\r\033[K");
}

// Returns 0, the exit status + 1 where the program has nothing more to do.
static int read_arguments(int argc, char** argv, request* out) {
  int i = 1;
  for (; i < argc && strncmp(argv[i], "--", 2) == 0; i++) {
    if (strcmp(argv[i], "--") == 0) {
      i++;
      break;
    }
    if (strcmp(argv[i], "--help") == 0) return fputs(kHelp, stdout) < 0 ? 2 : 1;
    if (strcmp(argv[i], "--once") == 0) {
      out->once = 1;
      continue;
    }
    char* end = NULL;
    errno = 0;
    const long workers =
        strcmp(argv[i], "--workers") == 0 && i + 1 < argc ? strtol(argv[++i], &end, 10) : 0;
    if (end == NULL || *end != '\0' || errno != 0 || workers < 1 || workers > kMostWorkers) {
      fprintf(stderr, "wordcount: cannot use %s\n%s", argv[i], kHelp);
      return 3;
    }
    out->workers = (uint32_t)workers;
  }
  out->folders = argv + i;
  out->folder_count = (size_t)(argc - i);
  return 0;
}

static int add_default_folders(const char* const* folders, size_t number, file_list* list) {
  for (size_t i = 0; i < number; i++) {
    if (file_list_add(list, folders[i]) != 0 && errno != ENOENT) {
      return failed(folders[i], strerror(errno));
    }
  }
  file_list_settle(list);
  return 0;
}

static int find_files(const request* asked, file_list* list) {
  if (asked->folder_count == 0) {
    if (add_default_folders(kDefaultFolders, 2, list) != 0) return 1;
    return list->bytes < kEnough ? add_default_folders(kMoreFolders, 2, list) : 0;
  }
  for (size_t i = 0; i < asked->folder_count; i++) {
    if (file_list_add(list, asked->folders[i]) != 0) {
      return failed(asked->folders[i], strerror(errno));
    }
  }
  file_list_settle(list);
  return 0;
}

static void count_clear(count* counted) {
  word_table_clear(&counted->table);
  counted->tally = (file_tally){0};
}

static void count_free(count* counted) { word_table_free(&counted->table); }

static int count_by_pool(mpc_pool* pool, const share_list* shares, bar* shown, count* out) {
  count_clear(out);
  shown->percent = -1;
  const mpc_status status =
      count_with_pool(pool, shares, shown->shown ? draw : NULL, shown, &out->table, &out->tally);
  erase(shown);
  return status < 0 ? library_failed("the pool could not count") : 0;
}

static int count_alone(const share_list* shares, count* out) {
  count_clear(out);
  for (size_t i = 0; i < shares->count; i++) {
    const file_share* share = &shares->shares[i];
    if (count_share(share->data, share->size, &out->table, &out->tally) != 0) {
      return failed("one process could not count", "out of memory");
    }
  }
  return 0;
}

static int same(const count* one, const count* other) {
  return one->tally.text == other->tally.text && one->tally.binary == other->tally.binary &&
         one->tally.unreadable == other->tally.unreadable &&
         one->tally.text_bytes == other->tally.text_bytes &&
         word_table_equal(&one->table, &other->table);
}

static void print_count(const file_list* files, const count* counted) {
  static counted_word top[kTop];
  const file_tally* tally = &counted->tally;
  printf("%zu files, %.1f MB: %" PRIu64 " of text (%.1f MB) counted, %" PRIu64 " binary, %" PRIu64
         " unreadable\n",
         files->count, (double)files->bytes / 1e6, tally->text, (double)tally->text_bytes / 1e6,
         tally->binary, tally->unreadable);
  printf("%" PRIu64 " of more than 8 MiB, taken in parts; %" PRIu64 " unreadable folders\n",
         files->huge, files->unreadable_folders);
  printf("%" PRIu64 " words, %zu different; the most frequent:\n", counted->table.words,
         counted->table.distinct);
  const size_t number = word_table_top(&counted->table, top, kTop);
  for (size_t i = 0; i < number; i++) printf("%10" PRIu64 " %s\n", top[i].count, top[i].word);
}

static void print_times(uint32_t workers, double pool, double alone, const file_tally* tally) {
  const double files = (double)tally->text;
  const double megabytes = (double)tally->text_bytes / 1e6;
  printf("pool of %" PRIu32 ": %.1f ms, %.0f files/s, %.1f MB/s\n", workers, 1e3 * pool,
         files / pool, megabytes / pool);
  printf("one process: %.1f ms, %.0f files/s, %.1f MB/s\n", 1e3 * alone, files / alone,
         megabytes / alone);
  printf("speed-up: %.2f (medians of %d rounds, after one to warm up; same results)\n",
         alone / pool, (int)kRounds);
}

// Round 0 warms up: it starts the workers and brings the files into the page cache.
static int compare(mpc_pool* pool, const share_list* shares, bar* shown, count* by_pool,
                   double* out_pool, double* out_alone) {
  double pool_times[kRounds];
  double alone_times[kRounds];
  count alone = {0};
  int result = 0;
  for (int round = 0; result == 0 && round <= kRounds; round++) {
    double times[2];
    // Neither is always the first of a round.
    for (int turn = 0; result == 0 && turn < 2; turn++) {
      const int with_pool = (round + turn) % 2;
      const double begin = now();
      result =
          with_pool ? count_by_pool(pool, shares, shown, by_pool) : count_alone(shares, &alone);
      times[with_pool] = now() - begin;
    }
    if (result == 0 && !same(by_pool, &alone)) {
      result = failed("the results differ", "the pool did not count what one process counted");
    }
    if (result == 0 && round > 0) {
      alone_times[round - 1] = times[0];
      pool_times[round - 1] = times[1];
    }
  }
  count_free(&alone);
  if (result != 0) return 1;
  *out_pool = median(pool_times, kRounds);
  *out_alone = median(alone_times, kRounds);
  return 0;
}

static int run(const request* asked, const file_list* files, mpc_pool* pool) {
  bar shown = {isatty(STDERR_FILENO), -1, "counting"};
  uint32_t workers;
  share_list shares = {0};
  if (mpc_pool_worker_count(pool, &workers) < 0) return library_failed("no pool");
  if (share_files(files, workers, &shares) != 0) return failed("no shares", "out of memory");
  count counted = {0};
  double pool_time = 0;
  double alone_time = 0;
  const int result = asked->once
                         ? count_by_pool(pool, &shares, &shown, &counted)
                         : compare(pool, &shares, &shown, &counted, &pool_time, &alone_time);
  if (result == 0) print_count(files, &counted);
  if (result == 0 && !asked->once) print_times(workers, pool_time, alone_time, &counted.tally);
  count_free(&counted);
  share_list_free(&shares);
  return result;
}

int main(int argc, char** argv) {
  request asked = {0};
  file_list files = {0};
  mpc_pool* pool;
  const int done = read_arguments(argc, argv, &asked);
  if (done != 0) return done - 1;
  int result = find_files(&asked, &files);
  if (result == 0 && files.count == 0) {
    fputs("wordcount: no files below the folders\n", stderr);
    result = 1;
  }
  if (result == 0) {
    mpc_pool_options options = MPC_POOL_OPTIONS_INIT;
    options.workers = asked.workers;
    if (mpc_pool_create(&options, &pool) < 0) {
      result = library_failed("no pool");
    } else {
      result = run(&asked, &files, pool);
      mpc_pool_destroy(pool);
    }
  }
  file_list_free(&files);
  return result != 0 || fflush(stdout) != 0;
}
