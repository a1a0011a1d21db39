// SPDX-License-Identifier: Apache-2.0
// A program that never loads the library. Without an argument it waits for its end; with one, a
// number, it returns 7 where that is its limit of open files.
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

int main(int argc, char** argv) {
  struct rlimit limit;
  while (argc == 1) pause();
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1;
  return limit.rlim_cur == strtoul(argv[1], NULL, 10) ? 7 : 2;
}
