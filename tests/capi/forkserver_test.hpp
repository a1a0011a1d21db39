// SPDX-License-Identifier: Apache-2.0
// What the tests of the fork server share: children that say whose they are and wait.
#ifndef MPC_TESTS_CAPI_FORKSERVER_TEST_HPP
#define MPC_TESTS_CAPI_FORKSERVER_TEST_HPP

#include <gtest/gtest.h>

#include "support/start_method_test.hpp"

namespace mpc::test {

struct ServerPage {
  Count ready;
  Count go;
  std::atomic<int32_t> server{0};
};

// Says who its kernel's parent is, waits until it may go, and returns 6.
int tell_server(const void* argument, size_t size, const mpc_ref* refs, size_t ref_count);

class ForkServerTest : public StartMethodTest {
 protected:
  mpc_process* start_and_meet(GroupPage<ServerPage>& page);
  // The server that is asked now.
  pid_t server();
};

// A process by `method` that has begun; for programs, which have no fixture.
mpc_process* started(mpc_process_fn function, const void* argument, size_t size,
                     mpc_start_method method);
template <class T>
mpc_process* started(mpc_process_fn function, const T& argument,
                     mpc_start_method method = MPC_START_FORKSERVER) {
  return started(function, &argument, sizeof argument, method);
}
// Joins it and takes the handle back; the exit code.
int finished(mpc_process* process);

// Memory of the group that is there for good.
template <class T>
T* group_page() {
  void* address = nullptr;
  if (mpc_group_alloc(sizeof(T), &address) != MPC_OK || mpc_group_publish(address) != MPC_OK) {
    return nullptr;
  }
  return new (address) T();
}

// For a program of root's: what the kernel counts for each user is this program's alone then.
void become_a_user_of_no_other_process();

// Whose child the kernel says that a child by forkserver is which is started by this process now.
pid_t server_of_a_start();

}  // namespace mpc::test

#endif
