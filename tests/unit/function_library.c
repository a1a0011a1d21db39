/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of function names load, in builds that differ in the number. */
static int hidden(void) { return MPC_TEST_BUILD; }

typedef int (*number_function)(void);
number_function the_function(void);
number_function the_function(void) { return hidden; }
