/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The image of children whose function is in a shared library. The library takes it over before
 * this runs (takeover.hpp), so whoever gets here has started it by hand.
 */
#include <stdio.h>

#include <mpc/base.h>

int main(void) {
  fprintf(stderr,
          "mpc-worker runs functions for processes of libmpc %s and is started by it alone\n",
          mpc_library_version());
  return 2;
}
