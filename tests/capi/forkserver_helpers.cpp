// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <mpc/mpc.h>

#include "capi/forkserver_test.hpp"

namespace mpc::test {

int tell_server(const void* argument, size_t, const mpc_ref*, size_t) {
  ServerPage* page = argument_as<ServerPage*>(argument);
  page->server = getppid();
  page->ready.add();
  return page->go.reaches(1) ? 6 : 1;
}

mpc_process* ForkServerTest::start_and_meet(GroupPage<ServerPage>& page) {
  mpc_process* process = start(tell_server, page.get());
  EXPECT_TRUE(page->ready.reaches(1));
  return process;
}

pid_t ForkServerTest::server() {
  GroupPage<ServerPage> page;
  page->go.set(1);
  EXPECT_EQ(exit_code_of(start_and_meet(page)), 6);
  return page->server;
}

mpc_process* started(mpc_process_fn function, const void* argument, size_t size,
                     mpc_start_method method) {
  mpc_process_options options = MPC_PROCESS_OPTIONS_INIT;
  options.argument = argument;
  options.argument_size = size;
  options.start_method = method;
  mpc_process* process = nullptr;
  MUST(mpc_process_create(function, &options, &process) == MPC_OK);
  MUST(mpc_process_start(process) == MPC_OK);
  return process;
}

int finished(mpc_process* process) {
  int exit_code = -1;
  MUST(mpc_process_join(process, MPC_FOREVER) == MPC_OK);
  MUST(mpc_process_exit_code(process, &exit_code) == MPC_OK);
  MUST(mpc_process_destroy(process) == MPC_OK);
  return exit_code;
}

namespace {

int note_parent(const void* argument, size_t, const mpc_ref*, size_t) {
  *argument_as<int32_t*>(argument) = getppid();
  return 0;
}

}  // namespace

void become_a_user_of_no_other_process() {
  constexpr uid_t kFirst = 1'000'000;
  MUST(setuid(kFirst + static_cast<uid_t>(getpid())) == 0);
}

pid_t server_of_a_start() {
  auto* parent = group_page<int32_t>();
  MUST(parent != nullptr);
  MUST(finished(started(note_parent, parent)) == 0);
  pid_t server = *parent;
  MUST(mpc_group_free(parent) == MPC_OK);
  return server;
}

}  // namespace mpc::test
