// SPDX-License-Identifier: Apache-2.0
// Every number that a program compiled against the headers carries in itself. Where one changes,
// programs that were built before break: fields are appended, constants get new numbers, and the
// new line goes here. Another test sees to it that nothing public is missing from this file.
#include <stddef.h>
#include <stdio.h>

#include <mpc/mpc.h>

static int failures;

static void check(const char* what, long long is, long long was) {
  if (is == was) return;
  printf("%s is %lld, was %lld\n", what, is, was);
  failures++;
}

#define VALUE(constant, value) check(#constant, (long long)(constant), (value))
#define SIZE(type, size) check("sizeof(" #type ")", (long long)sizeof(type), (size))
#define FIELD(type, field, offset, size)                                                 \
  do {                                                                                   \
    check("offset of " #type "." #field, (long long)offsetof(type, field), (offset));    \
    check("size of " #type "." #field, (long long)sizeof(((type*)NULL)->field), (size)); \
  } while (0)

int main(void) {
  VALUE(MPC_FOREVER, -1);
  VALUE(MPC_SECONDS(3), 3000000000LL);
  VALUE(MPC_MILLISECONDS(3), 3000000LL);

  VALUE(MPC_KIND_NONE, 0);
  VALUE(MPC_KIND_BLOCK, 1);
  VALUE(MPC_KIND_POOL, 2);

  SIZE(mpc_bytes, 16);
  FIELD(mpc_bytes, data, 0, 8);
  FIELD(mpc_bytes, size, 8, 8);

  SIZE(mpc_buffer, 16);
  FIELD(mpc_buffer, data, 0, 8);
  FIELD(mpc_buffer, size, 8, 8);

  SIZE(mpc_ref, 24);
  FIELD(mpc_ref, group, 0, 8);
  FIELD(mpc_ref, kind, 8, 4);
  FIELD(mpc_ref, place, 12, 4);
  FIELD(mpc_ref, generation, 16, 4);
  FIELD(mpc_ref, reserved, 20, 4);

  VALUE(MPC_OK, 0);
  VALUE(MPC_EINVAL, -1);
  VALUE(MPC_ENOMEM, -2);
  VALUE(MPC_EINTERNAL, -3);
  VALUE(MPC_ESYSTEM, -4);
  VALUE(MPC_ETIMEDOUT, -5);
  VALUE(MPC_ECLOSED, -6);
  VALUE(MPC_ESTALE, -7);
  VALUE(MPC_EGROUP, -8);
  VALUE(MPC_ELAYOUT, -9);
  VALUE(MPC_EEXHAUSTED, -10);
  VALUE(MPC_EPARTICIPANTS, -11);
  VALUE(MPC_ESTATE, -12);
  VALUE(MPC_ECHILD, -13);
  VALUE(MPC_EWORKER_LOST, -14);
  VALUE(MPC_ETASK, -15);
  VALUE(MPC_ETERMINATED, -16);
  VALUE(MPC_E2BIG, -17);
  VALUE(MPC_EVERSION, -18);
  VALUE(MPC_ENOTSUP, -19);
  VALUE(MPC_EBOOTSTRAP, -20);
  VALUE(MPC_EFUNCTION, -21);

  VALUE(MPC_PRELOAD_IGNORE, 0);
  VALUE(MPC_PRELOAD_WARN, 1);
  VALUE(MPC_PRELOAD_FAIL, 2);

  SIZE(mpc_preload_options, 48);
  FIELD(mpc_preload_options, struct_size, 0, 8);
  FIELD(mpc_preload_options, libraries, 8, 8);
  FIELD(mpc_preload_options, library_count, 16, 8);
  FIELD(mpc_preload_options, init, 24, 8);
  FIELD(mpc_preload_options, on_error, 32, 4);
  FIELD(mpc_preload_options, reserved, 36, 4);
  FIELD(mpc_preload_options, timeout_ns, 40, 8);

  SIZE(mpc_group_options, 24);
  FIELD(mpc_group_options, struct_size, 0, 8);
  FIELD(mpc_group_options, address_space, 8, 8);
  FIELD(mpc_group_options, memory_limit, 16, 8);

  SIZE(mpc_group_stats, 104);
  FIELD(mpc_group_stats, struct_size, 0, 8);
  FIELD(mpc_group_stats, id, 8, 8);
  FIELD(mpc_group_stats, address, 16, 8);
  FIELD(mpc_group_stats, address_space, 24, 8);
  FIELD(mpc_group_stats, memory_limit, 32, 8);
  FIELD(mpc_group_stats, memory_used, 40, 8);
  FIELD(mpc_group_stats, blocks, 48, 8);
  FIELD(mpc_group_stats, bytes, 56, 8);
  FIELD(mpc_group_stats, own_bytes, 64, 8);
  FIELD(mpc_group_stats, objects, 72, 8);
  FIELD(mpc_group_stats, participants, 80, 8);
  FIELD(mpc_group_stats, starts, 88, 8);
  FIELD(mpc_group_stats, deaths, 96, 8);

  VALUE(MPC_START_DEFAULT, 0);
  VALUE(MPC_START_FORK, 1);
  VALUE(MPC_START_SPAWN, 2);
  VALUE(MPC_START_FORKSERVER, 3);
  VALUE(MPC_START_PROGRAM, 4);

  VALUE(MPC_PROCESS_INITIAL, 0);
  VALUE(MPC_PROCESS_STARTED, 1);
  VALUE(MPC_PROCESS_STOPPED, 2);
  VALUE(MPC_PROCESS_CLOSED, 3);

  VALUE(MPC_STDIO_DEFAULT, 0);
  VALUE(MPC_STDIO_INHERIT, 1);
  VALUE(MPC_STDIO_NULL, 2);
  VALUE(MPC_STDIO_PIPE, 3);
  VALUE(MPC_STDIO_FILE, 4);
  VALUE(MPC_STDIO_APPEND, 5);
  VALUE(MPC_STDIO_DESCRIPTOR, 6);

  VALUE(MPC_PROCESS_GROUP_INHERIT, 0);
  VALUE(MPC_PROCESS_GROUP_NEW, 1);
  VALUE(MPC_PROCESS_GROUP_SESSION, 2);

  SIZE(mpc_stdio, 16);
  FIELD(mpc_stdio, kind, 0, 4);
  FIELD(mpc_stdio, descriptor, 4, 4);
  FIELD(mpc_stdio, path, 8, 8);

  SIZE(mpc_limit, 24);
  FIELD(mpc_limit, resource, 0, 4);
  FIELD(mpc_limit, reserved, 4, 4);
  FIELD(mpc_limit, soft, 8, 8);
  FIELD(mpc_limit, hard, 16, 8);

  SIZE(mpc_descriptor, 8);
  FIELD(mpc_descriptor, parent, 0, 4);
  FIELD(mpc_descriptor, child, 4, 4);

  SIZE(mpc_process_options, 200);
  FIELD(mpc_process_options, struct_size, 0, 8);
  FIELD(mpc_process_options, start_method, 8, 4);
  FIELD(mpc_process_options, daemon, 12, 4);
  FIELD(mpc_process_options, detach, 16, 4);
  FIELD(mpc_process_options, reserved, 20, 4);
  FIELD(mpc_process_options, name, 24, 8);
  FIELD(mpc_process_options, argument, 32, 8);
  FIELD(mpc_process_options, argument_size, 40, 8);
  FIELD(mpc_process_options, refs, 48, 8);
  FIELD(mpc_process_options, ref_count, 56, 8);
  FIELD(mpc_process_options, working_directory, 64, 8);
  FIELD(mpc_process_options, environment, 72, 8);
  FIELD(mpc_process_options, standard_input, 80, 16);
  FIELD(mpc_process_options, standard_output, 96, 16);
  FIELD(mpc_process_options, standard_error, 112, 16);
  FIELD(mpc_process_options, process_group, 128, 4);
  FIELD(mpc_process_options, nice, 132, 4);
  FIELD(mpc_process_options, limits, 136, 8);
  FIELD(mpc_process_options, limit_count, 144, 8);
  FIELD(mpc_process_options, cpus, 152, 8);
  FIELD(mpc_process_options, cpu_count, 160, 8);
  FIELD(mpc_process_options, descriptors, 168, 8);
  FIELD(mpc_process_options, descriptor_count, 176, 8);
  FIELD(mpc_process_options, program, 184, 8);
  FIELD(mpc_process_options, arguments, 192, 8);

  VALUE(MPC_STOP_NOTHING, 0);
  VALUE(MPC_STOP_TERMINATED, 1);
  VALUE(MPC_STOP_KILLED, 2);

  SIZE(mpc_process_usage, 72);
  FIELD(mpc_process_usage, struct_size, 0, 8);
  FIELD(mpc_process_usage, known, 8, 4);
  FIELD(mpc_process_usage, core_dumped, 12, 4);
  FIELD(mpc_process_usage, user_ns, 16, 8);
  FIELD(mpc_process_usage, system_ns, 24, 8);
  FIELD(mpc_process_usage, max_rss_bytes, 32, 8);
  FIELD(mpc_process_usage, minor_faults, 40, 8);
  FIELD(mpc_process_usage, major_faults, 48, 8);
  FIELD(mpc_process_usage, voluntary_switches, 56, 8);
  FIELD(mpc_process_usage, involuntary_switches, 64, 8);

  SIZE(mpc_pool_options, 16);
  FIELD(mpc_pool_options, struct_size, 0, 8);
  FIELD(mpc_pool_options, workers, 8, 4);
  FIELD(mpc_pool_options, start_method, 12, 4);

  SIZE(mpc_item_error, 24);
  FIELD(mpc_item_error, status, 0, 4);
  FIELD(mpc_item_error, code, 4, 4);
  FIELD(mpc_item_error, worker, 8, 4);
  FIELD(mpc_item_error, pid, 12, 4);
  FIELD(mpc_item_error, exit_code, 16, 4);
  FIELD(mpc_item_error, reserved, 20, 4);

  SIZE(mpc_map_options, 40);
  FIELD(mpc_map_options, struct_size, 0, 8);
  FIELD(mpc_map_options, chunk_size, 8, 8);
  FIELD(mpc_map_options, errors, 16, 8);
  FIELD(mpc_map_options, progress, 24, 8);
  FIELD(mpc_map_options, user_data, 32, 8);

  VALUE(MPC_LOG_OFF, 0);
  VALUE(MPC_LOG_DEBUG, 10);
  VALUE(MPC_LOG_INFO, 20);
  VALUE(MPC_LOG_WARNING, 30);
  VALUE(MPC_LOG_ERROR, 40);

  return failures != 0;
}
