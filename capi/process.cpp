// SPDX-License-Identifier: Apache-2.0
#include <signal.h>

#include <mpc/process.h>

#include "process/children.hpp"
#include "process/self.hpp"
#include "process/start_method.hpp"
#include "process_handle.hpp"
#include "process_setup.hpp"
#include "refs.hpp"

namespace mpc {
namespace {

Result<std::string> take_name(const char* name) {
  size_t size = strlen(name);
  if (size == 0 || size > kLongestName) {
    return failure(MPC_EINVAL, "a process name has 1 to %zu bytes, not %zu", kLongestName, size);
  }
  return std::string(name);
}

// The program's function with copies of what it is to be given.
Task take_task(mpc_process_fn function, const mpc_process_options& options) {
  auto bytes = static_cast<const char*>(options.argument);
  Task task;
  task.function = function;
  task.argument.assign(bytes, bytes + options.argument_size);
  task.refs.assign(options.refs, options.refs + options.ref_count);
  return task;
}

// The program that the options name, if any.
Result<std::optional<Program>> take_program(mpc_process_fn function,
                                            const mpc_process_options& options) {
  bool by_method = options.start_method == MPC_START_PROGRAM;
  if (options.program == nullptr) {
    if (by_method) {
      return failure(MPC_EINVAL, "the start method is `program`; name the executable in program");
    }
    if (options.arguments != nullptr) {
      return failure(MPC_EINVAL, "arguments are a program's, and there is none; use argument");
    }
    return std::optional<Program>();
  }
  if (*options.program == '\0') {
    return failure(MPC_EINVAL, "program is empty; name an executable, or NULL");
  }
  if (function != nullptr) {
    return failure(MPC_EINVAL, "a process runs a program or a function; leave one of them out");
  }
  if (!by_method && options.start_method != MPC_START_DEFAULT) {
    return failure(MPC_EINVAL, "a program is started by MPC_START_PROGRAM; set that, or 0");
  }
  Program program{options.program, {}};
  for (const char* const* each = options.arguments; each != nullptr && *each != nullptr; ++each) {
    program.arguments.emplace_back(*each);
  }
  return std::optional<Program>(std::move(program));
}

Result<ProcessPlan> take_plan(Group& group, mpc_process_fn function,
                              const mpc_process_options* theirs) {
  constexpr size_t kLeast = offsetof(mpc_process_options, working_directory);
  Result<mpc_process_options> options = take_options(theirs, kLeast);
  if (!options) return options.error();
  if (options->reserved != 0) return failure(MPC_EINVAL, "mpc_process_options.reserved is not 0");
  if (options->daemon > 2) return failure(MPC_EINVAL, "daemon is 0, 1 or 2");
  if (options->argument == nullptr && options->argument_size > 0) return null_argument("argument");
  if (options->refs == nullptr && options->ref_count > 0) return null_argument("refs");
  Result<std::optional<Program>> program = take_program(function, *options);
  if (!program) return program.error();
  Result<mpc_start_method> method = MPC_START_PROGRAM;
  if (!*program) method = start_method_of(options->start_method);
  if (!method) return method.error();
  Result<std::unique_ptr<const ProcessSetup>> setup = take_setup(*options);
  if (!setup) return setup.error();

  ProcessPlan plan;
  plan.setup = std::move(*setup);
  plan.method = *method;
  plan.daemon = options->daemon == 0 ? self().daemon : options->daemon == 1;
  plan.detach = options->detach != 0;
  if (options->name != nullptr) {
    Result<std::string> name = take_name(options->name);
    if (!name) return name.error();
    plan.name = std::move(*name);
  }
  for (size_t i = 0; i < options->ref_count; ++i) {
    Result<ObjectId> id = object_of(group, &options->refs[i], MPC_KIND_NONE);
    if (!id) return id.error();
    plan.held.push_back(*id);
  }
  plan.task = take_task(function, *options);
  plan.task.program = std::move(*program);
  return plan;
}

}  // namespace
}  // namespace mpc

extern "C" {

using mpc::Group;
using mpc::Process;
using mpc::ProcessHandle;
using mpc::Result;

mpc_status mpc_start_method_set(mpc_start_method method, int force) {
  auto number = static_cast<uint32_t>(method);
  return mpc::guarded([&] { return mpc::start_method_set(number, force != 0); });
}

mpc_status mpc_start_method_get(int allow_none, mpc_start_method* out_method) {
  return mpc::guarded([&]() -> Result<void> {
    if (out_method == nullptr) return mpc::null_argument("out_method");
    *out_method = mpc::start_method_get(allow_none != 0);
    return {};
  });
}

size_t mpc_start_method_list(mpc_start_method* methods, size_t capacity) {
  for (size_t i = 0; i < mpc::kStartMethods.size() && i < capacity && methods != nullptr; ++i) {
    methods[i] = mpc::kStartMethods[i];
  }
  return mpc::kStartMethods.size();
}

const char* mpc_start_method_name(mpc_start_method method) {
  return mpc::start_method_name(method);
}

mpc_status mpc_process_create(mpc_process_fn function, const mpc_process_options* options,
                              mpc_process** out_process) {
  return mpc::guarded_open<ProcessHandle>(out_process, [&](Group& group) -> Result<ProcessHandle*> {
    Result<mpc::ProcessPlan> plan = mpc::take_plan(group, function, options);
    if (!plan) return plan.error();
    return new ProcessHandle{std::make_shared<Process>(group, std::move(*plan))};
  });
}

mpc_status mpc_process_start(mpc_process* process) {
  return mpc::guarded([&]() -> Result<void> {
    if (Result<Group*> group = mpc::current_group(); !group) return group.error();
    mpc::Pinned<ProcessHandle> handle(process);
    if (!handle) return mpc::used_up<ProcessHandle>();
    mpc::children_reap();
    Result<void> started = handle->process->start();
    if (!started) return started;
    mpc::children_add(handle->process);
    handle->process->tell_start();
    return {};
  });
}

mpc_status mpc_process_join(mpc_process* process, int64_t timeout_ns) {
  mpc::Deadline deadline = mpc::Deadline::after(timeout_ns);
  return mpc::guarded_on_process(process, [&](Process& object) -> Result<void> {
    Result<bool> ended = object.join(deadline);
    if (!ended) return ended.error();
    if (!*ended) return mpc::failure(MPC_ETIMEDOUT, "the process still runs");
    return {};
  });
}

mpc_status mpc_process_is_alive(mpc_process* process, int* out_alive) {
  return mpc::answer(process, out_alive, [](Process& object) { return object.alive(); });
}

mpc_status mpc_process_exit_code(mpc_process* process, int* out_exit_code) {
  return mpc::answer(process, out_exit_code, [](Process& object) { return object.exit_code(); });
}

mpc_status mpc_process_terminate(mpc_process* process) {
  return mpc::guarded_on_process(process,
                                 [](Process& object) { return object.send_signal(SIGTERM); });
}

mpc_status mpc_process_kill(mpc_process* process) {
  return mpc::guarded_on_process(process,
                                 [](Process& object) { return object.send_signal(SIGKILL); });
}

mpc_status mpc_process_close(mpc_process* process) {
  return mpc::guarded_on_process(process, [](Process& object) { return object.close(); });
}

mpc_status mpc_process_destroy(mpc_process* process) {
  if (process == nullptr) return MPC_OK;
  return mpc::guarded([&]() -> Result<void> {
    if (!mpc::handle_close(mpc::HandleKind::kProcess, process)) {
      return mpc::used_up<ProcessHandle>();
    }
    return {};
  });
}

mpc_status mpc_process_pid(mpc_process* process, int32_t* out_pid) {
  return mpc::answer(process, out_pid, [](Process& object) { return object.pid(); });
}

mpc_status mpc_process_pipe(mpc_process* process, uint32_t which, int* out_fd) {
  return mpc::answer(process, out_fd, [&](Process& object) { return object.take_pipe(which); });
}

mpc_status mpc_process_name(mpc_process* process, char* buffer, size_t capacity) {
  return mpc::guarded_on_process(process, [&](Process& object) -> Result<void> {
    Result<std::string> name = object.name();
    if (!name) return name.error();
    mpc::copy_text(name->c_str(), buffer, capacity);
    return {};
  });
}

mpc_status mpc_process_set_name(mpc_process* process, const char* name) {
  return mpc::guarded_on_process(process, [&](Process& object) -> Result<void> {
    if (name == nullptr) return mpc::null_argument("name");
    Result<std::string> taken = mpc::take_name(name);
    if (!taken) return taken.error();
    return object.set_name(std::move(*taken));
  });
}

mpc_status mpc_process_state_get(mpc_process* process, mpc_process_state* out_state) {
  return mpc::guarded_on_process(process, [&](Process& object) -> Result<void> {
    if (out_state == nullptr) return mpc::null_argument("out_state");
    *out_state = object.state();
    return {};
  });
}

mpc_status mpc_process_describe(mpc_process* process, char* buffer, size_t capacity) {
  return mpc::guarded_on_process(process, [&](Process& object) -> Result<void> {
    mpc::copy_text(object.describe().c_str(), buffer, capacity);
    return {};
  });
}

size_t mpc_process_current_name(char* buffer, size_t capacity) {
  mpc::CallScope scope;
  return mpc::copy_text(mpc::self().name.c_str(), buffer, capacity);
}
}
