// SPDX-License-Identifier: Apache-2.0
// An executable that children of the tests can be images of. Its main() never runs there.
#include <mpc/mpc.h>

int known_to_both(const void* argument, size_t size, const mpc_ref* refs, size_t ref_count);
int known_to_both(const void* argument, size_t size, const mpc_ref* refs, size_t ref_count) {
  (void)argument, (void)size, (void)refs, (void)ref_count;
  return 22;
}
MPC_REGISTER_FUNCTION(known_to_both);

int main(void) { return 66; }
