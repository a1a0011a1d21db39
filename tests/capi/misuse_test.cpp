// SPDX-License-Identifier: Apache-2.0
// Calls that make no sense are answered, whatever they are given, and nothing is touched.
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <functional>
#include <random>

#include "support/start_method_test.hpp"

namespace mpc::test {
namespace {

class MisuseTest : public StartMethodTest {};
MPC_UNDER_EVERY_START_METHOD(MisuseTest);

int nothing(const void*, void*) { return 0; }
int no_bytes(const void*, size_t, mpc_result*) { return 0; }

// A call by its name, with what it answers.
struct Call {
  const char* name;
  std::function<mpc_status()> call;
};

template <class Handle>
std::vector<Call> calls_on(Handle* handle);

template <>
std::vector<Call> calls_on(mpc_process* process) {
  static int number;
  static int32_t pid;
  static char text[200];
  static mpc_process_state state;
  static mpc_process_usage usage = MPC_PROCESS_USAGE_INIT;
  return {
      {"start", [=] { return mpc_process_start(process); }},
      {"join", [=] { return mpc_process_join(process, 0); }},
      {"is_alive", [=] { return mpc_process_is_alive(process, &number); }},
      {"exit_code", [=] { return mpc_process_exit_code(process, &number); }},
      {"terminate", [=] { return mpc_process_terminate(process); }},
      {"kill", [=] { return mpc_process_kill(process); }},
      {"close", [=] { return mpc_process_close(process); }},
      {"pid", [=] { return mpc_process_pid(process, &pid); }},
      {"name", [=] { return mpc_process_name(process, text, sizeof text); }},
      {"set_name", [=] { return mpc_process_set_name(process, "name"); }},
      {"state_get", [=] { return mpc_process_state_get(process, &state); }},
      {"describe", [=] { return mpc_process_describe(process, text, sizeof text); }},
      {"interrupt", [=] { return mpc_process_interrupt(process); }},
      {"stop", [=] { return mpc_process_stop(process, 0, nullptr); }},
      {"terminate_tree", [=] { return mpc_process_terminate_tree(process); }},
      {"kill_tree", [=] { return mpc_process_kill_tree(process); }},
      {"sentinel", [=] { return mpc_process_sentinel(process, &number); }},
      {"detach", [=] { return mpc_process_detach(process); }},
      {"usage_get", [=] { return mpc_process_usage_get(process, &usage); }},
      {"daemon", [=] { return mpc_process_daemon(process, &number); }},
      {"set_daemon", [=] { return mpc_process_set_daemon(process, 1); }},
  };
}

template <>
std::vector<Call> calls_on(mpc_pool* pool) {
  static uint32_t count;
  return {
      {"map", [=] { return mpc_pool_map(pool, nothing, nullptr, 1, 0, nullptr, 0, nullptr); }},
      {"map_bytes",
       [=] { return mpc_pool_map_bytes(pool, no_bytes, nullptr, 0, nullptr, nullptr); }},
      {"worker_count", [=] { return mpc_pool_worker_count(pool, &count); }},
      {"close", [=] { return mpc_pool_close(pool); }},
      {"terminate", [=] { return mpc_pool_terminate(pool); }},
      {"join", [=] { return mpc_pool_join(pool, 0); }},
  };
}

template <>
std::vector<Call> calls_on(mpc_block* block) {
  static mpc_ref ref;
  return {{"ref", [=] { return mpc_block_ref(block, &ref); }},
          {"address", [=] { return mpc_block_address(block) == nullptr ? MPC_EINVAL : MPC_OK; }},
          {"size", [=] { return mpc_block_size(block) == 0 ? MPC_EINVAL : MPC_OK; }}};
}

template <class Handle>
void expect_refused(void* value) {
  for (const Call& call : calls_on(static_cast<Handle*>(value))) {
    EXPECT_EQ(call.call(), MPC_EINVAL) << call.name << " of " << value;
  }
}

void expect_no_handle(void* value) {
  expect_refused<mpc_process>(value);
  expect_refused<mpc_pool>(value);
  expect_refused<mpc_block>(value);
  if (value == nullptr) return;
  EXPECT_EQ(mpc_process_destroy(static_cast<mpc_process*>(value)), MPC_EINVAL) << value;
  EXPECT_EQ(mpc_pool_destroy(static_cast<mpc_pool*>(value)), MPC_EINVAL) << value;
  EXPECT_EQ(mpc_block_detach(static_cast<mpc_block*>(value)), MPC_EINVAL) << value;
  EXPECT_EQ(mpc_block_destroy(static_cast<mpc_block*>(value)), MPC_EINVAL) << value;
}

TEST_P(MisuseTest, NullHandlesAreRefused) { expect_no_handle(nullptr); }

TEST_P(MisuseTest, TakingANullHandleBackIsFine) {
  EXPECT_EQ(mpc_process_destroy(nullptr), MPC_OK);
  EXPECT_EQ(mpc_pool_destroy(nullptr), MPC_OK);
  EXPECT_EQ(mpc_block_detach(nullptr), MPC_OK);
  EXPECT_EQ(mpc_block_destroy(nullptr), MPC_OK);
}

TEST_P(MisuseTest, InventedHandlesAreRefused) {
  int here = 0;
  for (uint64_t value :
       {uint64_t{1}, uint64_t{0xff}, uint64_t{1} << 24, uint64_t{2} << 24, uint64_t{3} << 24,
        uint64_t{1} << 32, UINT64_MAX, uint64_t{0xdeadbeefdeadbeef}, uint64_t{1} << 63,
        reinterpret_cast<uint64_t>(&here)}) {
    expect_no_handle(reinterpret_cast<void*>(value));
  }
}

TEST_P(MisuseTest, RandomHandlesAreRefused) {
  std::mt19937_64 random(4711);
  for (int i = 0; i < 300; ++i) expect_no_handle(reinterpret_cast<void*>(random()));
}

TEST_P(MisuseTest, AHandleOfAnotherKindIsRefusedAndStaysGood) {
  mpc_process* process = make(nullptr, process_options());
  mpc_pool* pool = make_pool(1);
  mpc_block* block;
  ASSERT_EQ(mpc_block_create(10, &block), MPC_OK);
  expect_refused<mpc_pool>(process);
  expect_refused<mpc_block>(process);
  expect_refused<mpc_process>(pool);
  expect_refused<mpc_block>(pool);
  expect_refused<mpc_process>(block);
  expect_refused<mpc_pool>(block);
  EXPECT_EQ(mpc_block_detach(reinterpret_cast<mpc_block*>(process)), MPC_EINVAL);
  EXPECT_EQ(mpc_pool_destroy(reinterpret_cast<mpc_pool*>(block)), MPC_EINVAL);
  EXPECT_EQ(mpc_process_destroy(reinterpret_cast<mpc_process*>(pool)), MPC_EINVAL);
  EXPECT_EQ(mpc_process_start(process), MPC_OK);
  EXPECT_EQ(exit_code_of(process), 0);
  EXPECT_EQ(mpc_pool_map(pool, nothing, nullptr, 5, 0, nullptr, 0, nullptr), MPC_OK);
  EXPECT_NE(mpc_block_address(block), nullptr);
  EXPECT_EQ(mpc_block_detach(block), MPC_OK);
}

TEST_P(MisuseTest, HandlesThatWereTakenBackAreRefusedForEver) {
  std::vector<void*> used_up;
  for (int i = 0; i < 50; ++i) {
    mpc_process* process;
    mpc_pool* pool;
    mpc_block* block;
    mpc_pool_options options = pool_options(1);
    ASSERT_EQ(mpc_process_create(nullptr, nullptr, &process), MPC_OK);
    ASSERT_EQ(mpc_pool_create(&options, &pool), MPC_OK);
    ASSERT_EQ(mpc_block_create(10, &block), MPC_OK);
    ASSERT_EQ(mpc_process_destroy(process), MPC_OK);
    ASSERT_EQ(mpc_pool_destroy(pool), MPC_OK);
    ASSERT_EQ(mpc_block_detach(block), MPC_OK);
    for (void* handle :
         {static_cast<void*>(process), static_cast<void*>(pool), static_cast<void*>(block)}) {
      used_up.push_back(handle);
    }
  }
  for (void* handle : used_up) expect_no_handle(handle);
}

TEST_P(MisuseTest, NullArgumentsAreRefused) {
  mpc_process* process = make(nullptr, process_options());
  mpc_pool* pool = make_pool(1);
  mpc_block* block;
  ASSERT_EQ(mpc_block_create(10, &block), MPC_OK);
  char bytes[8];
  mpc_bytes item = {bytes, 1};
  mpc_buffer result;
  std::vector<Call> calls = {
      {"process_create", [&] { return mpc_process_create(nullptr, nullptr, nullptr); }},
      {"process_is_alive", [&] { return mpc_process_is_alive(process, nullptr); }},
      {"process_exit_code", [&] { return mpc_process_exit_code(process, nullptr); }},
      {"process_pid", [&] { return mpc_process_pid(process, nullptr); }},
      {"process_set_name", [&] { return mpc_process_set_name(process, nullptr); }},
      {"process_state_get", [&] { return mpc_process_state_get(process, nullptr); }},
      {"process_sentinel", [&] { return mpc_process_sentinel(process, nullptr); }},
      {"process_usage_get", [&] { return mpc_process_usage_get(process, nullptr); }},
      {"process_daemon", [&] { return mpc_process_daemon(process, nullptr); }},
      {"process_children", [&] { return mpc_process_children(nullptr, 0, nullptr); }},
      {"authkey_get", [&] { return mpc_authkey_get(bytes, sizeof bytes, nullptr); }},
      {"authkey_set", [&] { return mpc_authkey_set(nullptr, 1); }},
      {"finalizer_add", [&] { return mpc_finalizer_add(nullptr, nullptr, 0, nullptr); }},
      {"pool_create", [&] { return mpc_pool_create(nullptr, nullptr); }},
      {"pool_worker_count", [&] { return mpc_pool_worker_count(pool, nullptr); }},
      {"pool_map function",
       [&] { return mpc_pool_map(pool, nullptr, bytes, 1, 1, bytes, 1, nullptr); }},
      {"pool_map items",
       [&] { return mpc_pool_map(pool, nothing, nullptr, 1, 1, bytes, 1, nullptr); }},
      {"pool_map results",
       [&] { return mpc_pool_map(pool, nothing, bytes, 1, 1, nullptr, 1, nullptr); }},
      {"pool_map_bytes function",
       [&] { return mpc_pool_map_bytes(pool, nullptr, &item, 1, &result, nullptr); }},
      {"pool_map_bytes items",
       [&] { return mpc_pool_map_bytes(pool, no_bytes, nullptr, 1, &result, nullptr); }},
      {"pool_map_bytes results",
       [&] { return mpc_pool_map_bytes(pool, no_bytes, &item, 1, nullptr, nullptr); }},
      {"block_create", [&] { return mpc_block_create(10, nullptr); }},
      {"block_attach ref", [&] { return mpc_block_attach(nullptr, &block); }},
      {"block_attach out",
       [&] {
         mpc_ref ref;
         return mpc_block_ref(block, &ref) != MPC_OK ? MPC_OK : mpc_block_attach(&ref, nullptr);
       }},
      {"block_ref", [&] { return mpc_block_ref(block, nullptr); }},
      {"group_alloc", [&] { return mpc_group_alloc(10, nullptr); }},
      {"group_stats_get", [&] { return mpc_group_stats_get(nullptr); }},
      {"start_method_get", [&] { return mpc_start_method_get(1, nullptr); }},
  };
  for (const Call& call : calls) EXPECT_EQ(call.call(), MPC_EINVAL) << call.name;
  mpc_process_options options = process_options();
  mpc_process* another = nullptr;
  options.argument_size = 5;
  EXPECT_EQ(mpc_process_create(nullptr, &options, &another), MPC_EINVAL);
  options.argument_size = 0;
  options.ref_count = 1;
  EXPECT_EQ(mpc_process_create(nullptr, &options, &another), MPC_EINVAL);
  EXPECT_EQ(another, nullptr);
  EXPECT_EQ(mpc_process_name(process, nullptr, 0), MPC_OK);
  EXPECT_EQ(mpc_process_describe(process, nullptr, 0), MPC_OK);
  EXPECT_EQ(mpc_block_detach(block), MPC_OK);
}

// --- option structs ------------------------------------------------------------------------------

// An option struct of a later version: more fields at the end.
template <class Options>
struct Later {
  Options options;
  uint64_t more[4];
};

template <class Options>
void expect_versions(const Options& init, const std::function<mpc_status(const Options*)>& call,
                     size_t least = sizeof(Options)) {
  Later<Options> later;
  memset(&later, 0, sizeof later);
  later.options = init;
  later.options.struct_size = sizeof later;
  EXPECT_EQ(call(&later.options), MPC_OK) << "a longer tail of zeros is fine";
  later.more[3] = 1;
  EXPECT_EQ(call(&later.options), MPC_E2BIG);
  later.more[3] = 0;
  later.more[0] = uint64_t{1} << 40;
  EXPECT_EQ(call(&later.options), MPC_E2BIG);
  later.options.struct_size = sizeof(Options);
  EXPECT_EQ(call(&later.options), MPC_OK) << "what is beyond the size is not looked at";
  for (size_t size : {size_t{0}, size_t{1}, sizeof(size_t), least - 1}) {
    later.options.struct_size = size;
    EXPECT_EQ(call(&later.options), MPC_EINVAL) << size;
  }
}

mpc_status create_with(const mpc_process_options* options) {
  mpc_process* process = nullptr;
  mpc_status status = mpc_process_create(nullptr, options, &process);
  (void)mpc_process_destroy(process);
  return status;
}

TEST_P(MisuseTest, ProcessOptionsOfOtherVersionsAreToldApart) {
  expect_versions<mpc_process_options>(process_options(), create_with,
                                       offsetof(mpc_process_options, working_directory));
}

TEST_P(MisuseTest, ProcessOptionsMayEndBeforeWhatAChildStartsWith) {
  mpc_process_options options = process_options();
  options.working_directory = "";
  EXPECT_EQ(create_with(&options), MPC_EINVAL);
  options.struct_size = offsetof(mpc_process_options, working_directory);
  EXPECT_EQ(create_with(&options), MPC_OK) << "what is beyond the size is not looked at";
}

TEST_P(MisuseTest, PoolOptionsOfOtherVersionsAreToldApart) {
  expect_versions<mpc_pool_options>(pool_options(1), [](const mpc_pool_options* options) {
    mpc_pool* pool = nullptr;
    mpc_status status = mpc_pool_create(options, &pool);
    (void)mpc_pool_destroy(pool);
    return status;
  });
}

TEST_P(MisuseTest, MapOptionsOfOtherVersionsAreToldApart) {
  mpc_pool* pool = make_pool(1);
  mpc_map_options init = MPC_MAP_OPTIONS_INIT;
  expect_versions<mpc_map_options>(init, [&](const mpc_map_options* options) {
    return mpc_pool_map(pool, nothing, nullptr, 1, 0, nullptr, 0, options);
  });
  expect_versions<mpc_map_options>(init, [&](const mpc_map_options* options) {
    return mpc_pool_map_bytes(pool, no_bytes, nullptr, 0, nullptr, options);
  });
}

MPC_PROGRAM(configures_with_other_versions) {
  mpc_group_options init = MPC_GROUP_OPTIONS_INIT;
  Later<mpc_group_options> later;
  memset(&later, 0, sizeof later);
  later.options = init;
  later.options.struct_size = sizeof later;
  MUST(mpc_group_configure(&later.options) == MPC_OK);
  later.more[1] = 1;
  MUST(mpc_group_configure(&later.options) == MPC_E2BIG);
  later.options.struct_size = 3;
  MUST(mpc_group_configure(&later.options) == MPC_EINVAL);
  return 0;
}

TEST(MisuseProgramTest, GroupOptionsOfOtherVersionsAreToldApart) {
  EXPECT_EQ(run_program("configures_with_other_versions"), 0);
}

TEST_P(MisuseTest, OptionsOutOfRangeAreRefused) {
  mpc_process_options options = process_options();
  mpc_process* process = nullptr;
  options.daemon = 3;
  EXPECT_EQ(mpc_process_create(nullptr, &options, &process), MPC_EINVAL);
  options = process_options();
  options.start_method = 1000;
  EXPECT_EQ(mpc_process_create(nullptr, &options, &process), MPC_EINVAL);
  EXPECT_EQ(process, nullptr);
}

// --- guests --------------------------------------------------------------------------------------

TEST_P(MisuseTest, AnAnswerIsNotWrittenWhenACallFails) {
  auto* untouched = reinterpret_cast<void*>(0x1234);
  auto* process = static_cast<mpc_process*>(untouched);
  auto* pool = static_cast<mpc_pool*>(untouched);
  auto* block = static_cast<mpc_block*>(untouched);
  void* address = untouched;
  mpc_process_options process_choice = process_options();
  process_choice.daemon = 9;
  mpc_pool_options pool_choice = pool_options(5000);
  EXPECT_LT(mpc_process_create(nullptr, &process_choice, &process), 0);
  EXPECT_LT(mpc_pool_create(&pool_choice, &pool), 0);
  EXPECT_LT(mpc_block_create(0, &block), 0);
  EXPECT_LT(mpc_group_alloc(SIZE_MAX, &address), 0);
  EXPECT_EQ(process, untouched);
  EXPECT_EQ(pool, untouched);
  EXPECT_EQ(block, untouched);
  EXPECT_EQ(address, untouched);
}

TEST_P(MisuseTest, EveryCallKeepsErrno) {
  mpc_process_options options = process_options();
  mpc_pool_options pool_choice = pool_options(1);
  mpc_process* process = nullptr;
  mpc_pool* pool = nullptr;
  mpc_block* block = nullptr;
  mpc_block* second = nullptr;
  void* memory = nullptr;
  mpc_ref ref = {};
  int number;
  int32_t pid;
  uint32_t count;
  char text[200];
  mpc_process_state state;
  mpc_process_usage usage = MPC_PROCESS_USAGE_INIT;
  mpc_finalizer* finalizer = nullptr;
  size_t size;
  mpc_start_method method;
  mpc_group_stats stats = MPC_GROUP_STATS_INIT;
  mpc_buffer buffer = {nullptr, 0};
  struct {
    const char* name;
    std::function<void()> call;
  } calls[] = {
      {"process_create", [&] { return mpc_process_create(nullptr, &options, &process); }},
      {"process_join too early", [&] { return mpc_process_join(process, 0); }},
      {"process_set_daemon", [&] { return mpc_process_set_daemon(process, 0); }},
      {"process_daemon", [&] { return mpc_process_daemon(process, &number); }},
      {"process_start", [&] { return mpc_process_start(process); }},
      {"process_start twice", [&] { return mpc_process_start(process); }},
      {"process_is_alive", [&] { return mpc_process_is_alive(process, &number); }},
      {"process_join with timeout", [&] { return mpc_process_join(process, 1000); }},
      {"process_join", [&] { return mpc_process_join(process, MPC_FOREVER); }},
      {"process_exit_code", [&] { return mpc_process_exit_code(process, &number); }},
      {"process_terminate", [&] { return mpc_process_terminate(process); }},
      {"process_kill", [&] { return mpc_process_kill(process); }},
      {"process_interrupt", [&] { return mpc_process_interrupt(process); }},
      {"process_stop", [&] { return mpc_process_stop(process, 0, nullptr); }},
      {"process_kill_tree", [&] { return mpc_process_kill_tree(process); }},
      {"process_detach", [&] { return mpc_process_detach(process); }},
      {"process_usage_get", [&] { return mpc_process_usage_get(process, &usage); }},
      {"process_pid", [&] { return mpc_process_pid(process, &pid); }},
      {"process_name", [&] { return mpc_process_name(process, text, sizeof text); }},
      {"process_set_name", [&] { return mpc_process_set_name(process, "n"); }},
      {"process_state_get", [&] { return mpc_process_state_get(process, &state); }},
      {"process_describe", [&] { return mpc_process_describe(process, text, sizeof text); }},
      {"process_close", [&] { return mpc_process_close(process); }},
      {"process_destroy", [&] { return mpc_process_destroy(process); }},
      {"process_destroy twice", [&] { return mpc_process_destroy(process); }},
      {"pool_create", [&] { return mpc_pool_create(&pool_choice, &pool); }},
      {"pool_map",
       [&] { return mpc_pool_map(pool, nothing, nullptr, 10, 0, nullptr, 0, nullptr); }},
      {"pool_map_bytes",
       [&] { return mpc_pool_map_bytes(pool, no_bytes, nullptr, 0, nullptr, nullptr); }},
      {"pool_worker_count", [&] { return mpc_pool_worker_count(pool, &count); }},
      {"pool_close", [&] { return mpc_pool_close(pool); }},
      {"pool_join", [&] { return mpc_pool_join(pool, MPC_FOREVER); }},
      {"pool_terminate", [&] { return mpc_pool_terminate(pool); }},
      {"pool_destroy", [&] { return mpc_pool_destroy(pool); }},
      {"block_create", [&] { return mpc_block_create(10, &block); }},
      {"block_ref", [&] { return mpc_block_ref(block, &ref); }},
      {"block_attach", [&] { return mpc_block_attach(&ref, &second); }},
      {"block_address", [&] { return mpc_block_address(block); }},
      {"block_size", [&] { return mpc_block_size(block); }},
      {"block_destroy", [&] { return mpc_block_destroy(second); }},
      {"block_detach", [&] { return mpc_block_detach(block); }},
      {"block_attach stale", [&] { return mpc_block_attach(&ref, &second); }},
      {"group_join", [&] { return mpc_group_join(); }},
      {"group_alloc", [&] { return mpc_group_alloc(3 << 20, &memory); }},
      {"group_alloc too much", [&] { return mpc_group_alloc(SIZE_MAX, &memory); }},
      {"group_publish", [&] { return mpc_group_publish(memory); }},
      {"group_free", [&] { return mpc_group_free(memory); }},
      {"group_sweep", [&] { return mpc_group_sweep(nullptr); }},
      {"group_stats_get", [&] { return mpc_group_stats_get(&stats); }},
      {"group_configure", [&] { return mpc_group_configure(nullptr); }},
      {"start_method_get", [&] { return mpc_start_method_get(1, &method); }},
      {"start_method_set", [&] { return mpc_start_method_set(MPC_START_DEFAULT, 1); }},
      {"process_cpu_count", [&] { return mpc_process_cpu_count(); }},
      {"process_children", [&] { return mpc_process_children(nullptr, 0, &size); }},
      {"process_parent_pid", [&] { return mpc_process_parent_pid(&pid); }},
      {"process_current_describe", [&] { return mpc_process_current_describe(text, sizeof text); }},
      {"process_current_is_daemon", [&] { return mpc_process_current_is_daemon(); }},
      {"authkey_get", [&] { return mpc_authkey_get(text, sizeof text, &size); }},
      {"authkey_set", [&] { return mpc_authkey_set(text, 32); }},
      {"finalizer_add", [&] { return mpc_finalizer_add([](void*) {}, nullptr, 0, &finalizer); }},
      {"finalizer_cancel", [&] { return mpc_finalizer_cancel(finalizer); }},
      {"process_current_name", [&] { return mpc_process_current_name(text, sizeof text); }},
      {"library_check", [&] { return mpc_library_check(0); }},
      {"last_error_message", [&] { return mpc_last_error_message(text, sizeof text); }},
      {"buffer_free", [&] { mpc_buffer_free(&buffer); }},
      {"deadline_after", [&] { return mpc_deadline_after(5); }},
      {"log_set", [&] { return mpc_log_set(MPC_LOG_OFF, nullptr, nullptr); }},
  };
  for (const auto& each : calls) {
    errno = 4242;
    each.call();
    EXPECT_EQ(errno, 4242) << each.name;
  }
}

TEST_P(MisuseTest, AFirstCallOfAForkedChildKeepsErrno) {
  EXPECT_EQ(wait_for(fork_and([] {
              errno = 4242;
              return mpc_group_join() == MPC_OK && errno == 4242 ? 0 : 1;
            })),
            0);
}

// --- handles of the parent in a forked child -----------------------------------------------------

TEST_P(MisuseTest, AForkedChildIsToldThatProcessesAreItsParents) {
  mpc_process* process = make(nullptr, process_options());
  EXPECT_EQ(wait_for(fork_and([&] {
              int number;
              int32_t pid;
              char text[200];
              MUST(mpc_process_start(process) == MPC_ECHILD);
              MUST(mpc_process_join(process, 0) == MPC_ECHILD);
              MUST(mpc_process_is_alive(process, &number) == MPC_ECHILD);
              MUST(mpc_process_exit_code(process, &number) == MPC_ECHILD);
              MUST(mpc_process_terminate(process) == MPC_ECHILD);
              MUST(mpc_process_kill(process) == MPC_ECHILD);
              mpc_process_usage usage = MPC_PROCESS_USAGE_INIT;
              MUST(mpc_process_interrupt(process) == MPC_ECHILD);
              MUST(mpc_process_stop(process, 0, nullptr) == MPC_ECHILD);
              MUST(mpc_process_terminate_tree(process) == MPC_ECHILD);
              MUST(mpc_process_kill_tree(process) == MPC_ECHILD);
              MUST(mpc_process_sentinel(process, &number) == MPC_ECHILD);
              MUST(mpc_process_detach(process) == MPC_ECHILD);
              MUST(mpc_process_usage_get(process, &usage) == MPC_ECHILD);
              MUST(mpc_process_set_daemon(process, 1) == MPC_ECHILD);
              MUST(mpc_process_close(process) == MPC_ECHILD);
              MUST(mpc_process_set_name(process, "x") == MPC_ECHILD);
              MUST(mpc_process_pid(process, &pid) == MPC_ESTATE);
              MUST(mpc_process_describe(process, text, sizeof text) == MPC_OK);
              MUST(mpc_process_destroy(process) == MPC_OK);
              return 0;
            })),
            0);
  EXPECT_EQ(mpc_process_start(process), MPC_OK);
  EXPECT_EQ(exit_code_of(process), 0);
}

}  // namespace
}  // namespace mpc::test
