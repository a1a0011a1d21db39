/* SPDX-License-Identifier: Apache-2.0 */
/* What the C programs here share: the clock, the median, and the way out. */
#ifndef MPC_TESTS_BENCH_PROCESS_TIMING_H
#define MPC_TESTS_BENCH_PROCESS_TIMING_H

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* Microseconds on the monotonic clock. */
static inline double timing_now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return 1e6 * (double)time.tv_sec + (double)time.tv_nsec / 1e3;
}

static inline void timing_require(int holds, const char* what) {
  if (holds) return;
  fprintf(stderr, "wrong: %s\n", what);
  exit(1);
}

static inline int timing_compare(const void* left, const void* right) {
  const double a = *(const double*)left;
  const double b = *(const double*)right;
  return (a > b) - (a < b);
}

/* Prints the median time of `once(context)` in microseconds, after a call that warms up. */
static inline void timing_print_median(int count, void (*once)(void* context), void* context) {
  double* times = malloc((size_t)count * sizeof(*times));
  timing_require(count > 0 && times != NULL, "no room for the times");
  once(context);
  for (int i = 0; i < count; i++) {
    const double begin = timing_now();
    once(context);
    times[i] = timing_now() - begin;
  }
  qsort(times, (size_t)count, sizeof(*times), timing_compare);
  printf("%f\n", (times[(count - 1) / 2] + times[count / 2]) / 2);
  free(times);
}

#endif
