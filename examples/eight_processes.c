// SPDX-License-Identifier: Apache-2.0
// Eight processes that do nothing but compute. They run at the same time and are joined in the
// order in which they were started, whichever ends first: the first has the most to do.
#include <stdio.h>

#include <mpc/mpc.h>

enum { kProcesses = 8 };

static int primes_below(int limit) {
  int primes = 0;
  for (int n = 2; n < limit; n++) {
    int divisor = 2;
    while (divisor * divisor <= n && n % divisor != 0) divisor++;
    if (divisor * divisor > n) primes++;
  }
  return primes;
}

static int work(const void* argument, size_t size, const mpc_ref* refs, size_t ref_count) {
  (void)size, (void)refs, (void)ref_count;
  return primes_below(*(const int*)argument) % 100;
}

static int failed(void) {
  char message[256];
  mpc_last_error_message(message, sizeof(message));
  fprintf(stderr, "eight_processes: %s\n", message);
  return 1;
}

int main(void) {
  mpc_process* processes[kProcesses];
  int limits[kProcesses];
  int wrong = 0;
  for (int i = 0; i < kProcesses; i++) {
    mpc_process_options options = MPC_PROCESS_OPTIONS_INIT;
    limits[i] = 50000 * (kProcesses - i);
    options.argument = &limits[i];
    options.argument_size = sizeof(limits[i]);
    if (mpc_process_create(work, &options, &processes[i]) < 0) return failed();
    if (mpc_process_start(processes[i]) < 0) return failed();
  }
  for (int i = 0; i < kProcesses; i++) {
    char name[64];
    int exit_code;
    if (mpc_process_join(processes[i], MPC_FOREVER) < 0) return failed();
    if (mpc_process_exit_code(processes[i], &exit_code) < 0) return failed();
    if (mpc_process_name(processes[i], name, sizeof(name)) < 0) return failed();
    printf("joined %s: primes below %d end in %02d\n", name, limits[i], exit_code);
    wrong += exit_code != primes_below(limits[i]) % 100;
    mpc_process_destroy(processes[i]);
  }
  return wrong != 0;
}
