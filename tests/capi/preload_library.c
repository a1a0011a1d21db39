// SPDX-License-Identifier: Apache-2.0
// A library that the tests have a fork server preload.
#include <stdlib.h>
#include <unistd.h>

static int loaded_by;

__attribute__((constructor)) static void note_who_loads(void) {
  loaded_by = (int)getpid();
  // In the image of one test's server alone.
  if (getenv("MPC_TEST_PRELOAD_EXITS") != NULL) _exit(3);
}

/* The process that loaded it. */
int preload_loaded_by(void);
int preload_loaded_by(void) { return loaded_by; }
