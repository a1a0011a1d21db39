// SPDX-License-Identifier: Apache-2.0
// What a detached program leaves behind where orphans come to who started it.
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include "program_test.hpp"
#include "support/subreaper.hpp"

namespace mpc::test {
namespace {

// The shell's orphan becomes this process's child, as the shell is one, and is there first with the
// executable that joins.
void an_orphan_of_the_detached_must_not_join_in_its_place() {
  constexpr const char* kShell =
      "( (read go <&7; exec \"$0\" tell_status) & ); echo left; read go; exec \"$0\" tell_status";
  const char* words[] = {"-c", kShell, kJoining, nullptr};
  int go[2];
  MUST(pipe(go) == 0);
  mpc_descriptor given = {go[0], 7};
  mpc_process_options options = MPC_PROCESS_OPTIONS_INIT;
  options.program = "sh";
  options.arguments = words;
  options.detach = 1;
  options.descriptors = &given;
  options.descriptor_count = 1;
  options.standard_input = stream_to(MPC_STDIO_PIPE);
  options.standard_output = stream_to(MPC_STDIO_PIPE);
  mpc_process* process;
  int input;
  int output;
  MUST(mpc_process_create(nullptr, &options, &process) == MPC_OK);
  MUST(mpc_process_start(process) == MPC_OK);
  MUST(mpc_process_pipe(process, 0, &input) == MPC_OK);
  MUST(mpc_process_pipe(process, 1, &output) == MPC_OK);
  char text[16];
  MUST(read(output, text, sizeof text) == 5);  // the one in between has ended
  MUST(write(go[1], "\n", 1) == 1);
  MUST(waitpid(-1, nullptr, 0) > 0);  // the orphan; the shell waits
  MUST(write(input, "\n", 1) == 1);
  std::string told = read_all(output);
  MUST(told.find("MPC_ESTATE process " + std::to_string(getpid())) == 0);
  MUST(told.ends_with("MPC_OK "));
  int exit_code = -1;
  MUST(mpc_process_join(process, MPC_FOREVER) == MPC_OK);
  MUST(mpc_process_exit_code(process, &exit_code) == MPC_OK && exit_code == 0);
}

MPC_PROGRAM(orphans_come_to_the_starter) {
  Subreaper subreaper;
  an_orphan_of_the_detached_must_not_join_in_its_place();
  return 0;
}

MPC_PROGRAM(starts_as_process_1) {
  MUST(unshare(CLONE_NEWPID) == 0);
  pid_t child = fork_and([] {
    MUST(getpid() == 1);
    an_orphan_of_the_detached_must_not_join_in_its_place();
    return 0;
  });
  MUST(child > 0);
  return wait_for(child);
}

TEST(DetachedProgramTest, ItsOrphanDoesNotTakeItsPlaceWhereOrphansComeToTheStarter) {
  EXPECT_EQ(run_program("orphans_come_to_the_starter"), 0);
}

TEST(DetachedProgramTest, ItsOrphanDoesNotTakeItsPlaceWhereTheStarterIsProcess1) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can make a namespace";
  EXPECT_EQ(run_program("starts_as_process_1"), 0);
}

}  // namespace
}  // namespace mpc::test
