// SPDX-License-Identifier: Apache-2.0
// Every public macro, used as a strict C99 program would: an initializer that forgets a field, or a
// macro that needs an extension, fails to compile here.
#include <stdio.h>
#include <string.h>

#include <mpc/mpc.h>

// The two marks, on a function of the program's own.
MPC_API MPC_NODISCARD int marked(void);
int marked(void) { return 1; }

static int main_of_nothing(void) { return 0; }
MPC_REGISTER_FUNCTION(main_of_nothing);

static int failures;

static void check(int ok, const char* what) {
  if (ok) return;
  printf("wrong: %s\n", what);
  failures++;
}

static int is_zero(const void* bytes, size_t size) {
  const unsigned char* at = bytes;
  while (size > 0 && at[size - 1] == 0) size--;
  return size == 0;
}

// The size comes first and everything behind it is zero.
static int is_default(const void* options, size_t size) {
  size_t struct_size;
  memcpy(&struct_size, options, sizeof(struct_size));
  return struct_size == size &&
         is_zero((const char*)options + sizeof(struct_size), size - sizeof(struct_size));
}

int main(void) {
  const mpc_group_options group = MPC_GROUP_OPTIONS_INIT;
  const mpc_group_stats stats = MPC_GROUP_STATS_INIT;
  const mpc_process_options process = MPC_PROCESS_OPTIONS_INIT;
  const mpc_process_usage usage = MPC_PROCESS_USAGE_INIT;
  const mpc_pool_options pool = MPC_POOL_OPTIONS_INIT;
  const mpc_map_options map = MPC_MAP_OPTIONS_INIT;
  const mpc_preload_options preload = MPC_PRELOAD_OPTIONS_INIT;
  check(is_default(&group, sizeof(group)), "MPC_GROUP_OPTIONS_INIT");
  check(is_default(&stats, sizeof(stats)), "MPC_GROUP_STATS_INIT");
  check(is_default(&process, sizeof(process)), "MPC_PROCESS_OPTIONS_INIT");
  check(is_default(&usage, sizeof(usage)), "MPC_PROCESS_USAGE_INIT");
  check(is_default(&pool, sizeof(pool)), "MPC_POOL_OPTIONS_INIT");
  check(is_default(&map, sizeof(map)), "MPC_MAP_OPTIONS_INIT");
  check(is_default(&preload, sizeof(preload)), "MPC_PRELOAD_OPTIONS_INIT");

  char key[MPC_AUTHKEY_MAX];
  size_t key_size = 0;
  check(mpc_authkey_get(key, sizeof(key), &key_size) == MPC_OK && key_size == 32,
        "MPC_AUTHKEY_MAX");

  check(MPC_FOREVER < 0 && sizeof(MPC_FOREVER) == 8, "MPC_FOREVER");
  check(MPC_SECONDS(1 + 1) == MPC_MILLISECONDS(1000 + 1000), "MPC_SECONDS");
  check(MPC_SECONDS(100000) / 100000 == 1000000000, "MPC_SECONDS of a day and more");

  char version[32];
  snprintf(version, sizeof(version), "%d.%d.%d", LIBMPC_VERSION_MAJOR, LIBMPC_VERSION_MINOR,
           LIBMPC_VERSION_PATCH);
  check(strcmp(version, LIBMPC_VERSION_STRING) == 0, "LIBMPC_VERSION_STRING");
  check(LIBMPC_VERSION_NUMBER ==
            LIBMPC_VERSION_MAJOR * 65536 + LIBMPC_VERSION_MINOR * 256 + LIBMPC_VERSION_PATCH,
        "LIBMPC_VERSION_NUMBER");
  check(marked(), "MPC_API");
  mpc_function found = NULL;
  check(mpc_function_find("main_of_nothing", &found) == MPC_OK &&
            found == MPC_FUNCTION_CAST(main_of_nothing),
        "MPC_FUNCTION_CAST");
  check(mpc_registered_main_of_nothing == MPC_OK, "MPC_REGISTER_FUNCTION");

  check(strcmp(mpc_library_version(), LIBMPC_VERSION_STRING) == 0, "version of the library");
  check(mpc_library_check(LIBMPC_VERSION_NUMBER) == MPC_OK, "mpc_library_check of its own version");
  check(mpc_library_check(LIBMPC_VERSION_NUMBER ^ 0x0100) == MPC_EVERSION,
        "mpc_library_check of another minor version");
  check(mpc_library_check(LIBMPC_VERSION_NUMBER ^ 0x010000) == MPC_EVERSION,
        "mpc_library_check of another major version");
  return failures != 0;
}
