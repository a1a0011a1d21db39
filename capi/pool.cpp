// SPDX-License-Identifier: Apache-2.0
#include "pool/pool.hpp"

#include <mpc/pool.h>

#include "boundary.hpp"
#include "os/cpu.hpp"
#include "pool/local_backend.hpp"
#include "pool/map_job.hpp"
#include "pool/worker.hpp"
#include "process/start_method.hpp"

namespace mpc {
namespace {

constexpr uint32_t kMostWorkers = 4000;

template <class Body>
mpc_status guarded_on_pool(mpc_pool* pool, Body&& body) noexcept {
  return guarded([&]() -> Result<void> {
    if (Result<Group*> group = current_group(); !group) return group.error();
    Pinned<Pool> pinned(pool);
    if (!pinned) return used_up<Pool>();
    return body(*pinned);
  });
}

Result<Pool*> make_pool(Group& group, const mpc_pool_options* theirs) {
  Result<mpc_pool_options> options = take_options(theirs, sizeof(mpc_pool_options));
  if (!options) return options.error();
  if (options->workers > kMostWorkers) {
    return failure(MPC_EINVAL, "%u workers; a pool has at most %u", options->workers, kMostWorkers);
  }
  Result<mpc_start_method> method = start_method_of(options->start_method);
  if (!method) return method.error();
  uint32_t workers = options->workers != 0 ? options->workers : usable_cpus();
  Result<std::unique_ptr<Backend>> backend = LocalBackend::create(group, workers, *method);
  if (!backend) return backend.error();
  return new Pool(group, workers, std::move(*backend));
}

}  // namespace
}  // namespace mpc

extern "C" {

using mpc::Group;
using mpc::Pool;
using mpc::Result;

mpc_status mpc_pool_create(const mpc_pool_options* options, mpc_pool** out_pool) {
  return mpc::guarded_open<Pool>(out_pool,
                                 [&](Group& group) { return mpc::make_pool(group, options); });
}

mpc_status mpc_pool_map(mpc_pool* pool, mpc_map_fn function, const void* items, size_t count,
                        size_t item_size, void* results, size_t result_size,
                        const mpc_map_options* options) {
  return mpc::guarded_on_pool(pool, [&](Pool& object) -> Result<void> {
    if (function == nullptr) return mpc::null_argument("function");
    if (items == nullptr && item_size > 0 && count > 0) return mpc::null_argument("items");
    if (results == nullptr && result_size > 0 && count > 0) return mpc::null_argument("results");
    Result<mpc_map_options> taken = mpc::take_options(options, sizeof(mpc_map_options));
    if (!taken) return taken.error();
    mpc::ArraysJob job(function, items, count, item_size, results, result_size, *taken,
                       object.workers());
    return object.map(job);
  });
}

mpc_status mpc_pool_map_bytes(mpc_pool* pool, mpc_map_bytes_fn function, const mpc_bytes* items,
                              size_t count, mpc_buffer* results, const mpc_map_options* options) {
  return mpc::guarded_on_pool(pool, [&](Pool& object) -> Result<void> {
    if (function == nullptr) return mpc::null_argument("function");
    if (items == nullptr && count > 0) return mpc::null_argument("items");
    if (results == nullptr && count > 0) return mpc::null_argument("results");
    for (size_t i = 0; i < count; ++i) {
      if (items[i].data == nullptr && items[i].size > 0) {
        return mpc::failure(MPC_EINVAL, "item %zu has a size and no data", i);
      }
    }
    Result<mpc_map_options> taken = mpc::take_options(options, sizeof(mpc_map_options));
    if (!taken) return taken.error();
    mpc::BytesJob job(function, items, count, results, *taken, object.workers());
    return object.map(job);
  });
}

mpc_status mpc_result_put(mpc_result* result, const void* data, size_t size) {
  return mpc::guarded([&]() -> Result<void> {
    if (result == nullptr) return mpc::null_argument("result");
    if (data == nullptr && size > 0) return mpc::null_argument("data");
    if (!reinterpret_cast<mpc::ResultBytes*>(result)->put(data, size)) {
      return mpc::Error{MPC_ENOMEM, {}};
    }
    return {};
  });
}

mpc_status mpc_pool_worker_count(mpc_pool* pool, uint32_t* out_count) {
  return mpc::guarded_on_pool(pool, [&](Pool& object) -> Result<void> {
    if (out_count == nullptr) return mpc::null_argument("out_count");
    *out_count = object.workers();
    return {};
  });
}

mpc_status mpc_pool_close(mpc_pool* pool) {
  return mpc::guarded_on_pool(pool, [](Pool& object) { return object.close(); });
}

mpc_status mpc_pool_terminate(mpc_pool* pool) {
  return mpc::guarded_on_pool(pool, [](Pool& object) { return object.terminate(); });
}

mpc_status mpc_pool_join(mpc_pool* pool, int64_t timeout_ns) {
  mpc::Deadline deadline = mpc::Deadline::after(timeout_ns);
  return mpc::guarded_on_pool(pool, [&](Pool& object) { return object.join(deadline); });
}

mpc_status mpc_pool_destroy(mpc_pool* pool) {
  if (pool == nullptr) return MPC_OK;
  return mpc::guarded([&]() -> Result<void> {
    if (Result<Group*> group = mpc::current_group(); !group) return group.error();
    mpc::Pinned<Pool> pinned(pool);
    if (!pinned) return mpc::used_up<Pool>();
    (void)pinned->terminate();  // in a process that did not make it: nothing
    mpc::handle_close(mpc::HandleKind::kPool, pool);
    return {};
  });
}
}
