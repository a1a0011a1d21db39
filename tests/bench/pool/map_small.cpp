// SPDX-License-Identifier: Apache-2.0
// A map over very many very small items: 8 bytes in, 8 bytes out, one indirect call an item.
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <mpc/mpc.h>

#include "support/bench.hpp"

#ifdef BENCH_TBB
#include <oneapi/tbb/blocked_range.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/parallel_for.h>
#endif

namespace {

int triple_and_one(const void* item, void* result) {
  *static_cast<uint64_t*>(result) = 3 * *static_cast<const uint64_t*>(item) + 1;
  return 0;
}

// Volatile, so that no compiler knows which function is called and puts it in place of the call.
mpc_map_fn volatile g_function = triple_and_one;

enum class Results { kHeap, kShared };

class Arrays {
 public:
  Arrays(size_t count, Results where) : items_(count) {
    for (size_t i = 0; i < count; i++) items_[i] = i ^ (i << 7);
    if (where == Results::kHeap) {
      heap_results_.resize(count);
      results_ = heap_results_.data();
      return;
    }
    void* memory = mmap(nullptr, count * sizeof(uint64_t), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    bench::require(memory != MAP_FAILED, "no shared memory");
    results_ = static_cast<uint64_t*>(memory);
  }

  size_t size() const { return items_.size(); }
  const uint64_t* items() const { return items_.data(); }
  uint64_t* results() { return results_; }

  void run(size_t begin, size_t end) {
    const mpc_map_fn function = g_function;
    for (size_t i = begin; i < end; i++) function(&items_[i], &results_[i]);
  }

  void check() const {
    for (size_t i = 0; i < size(); i++) {
      bench::require(results_[i] == 3 * items_[i] + 1, "a result is wrong");
    }
  }

 private:
  std::vector<uint64_t> items_;
  std::vector<uint64_t> heap_results_;
  uint64_t* results_ = nullptr;
};

// Measures the items a second that `map` does. The arrays are made at the first measurement, so
// that contestants in processes of their own have arrays of their own.
std::function<double()> contestant(size_t count, Results where, std::function<void(Arrays&)> map) {
  return [=, arrays = std::shared_ptr<Arrays>()]() mutable {
    if (!arrays) arrays = std::make_shared<Arrays>(count, where);
    std::fill_n(arrays->results(), count, uint64_t{0});
    const double begin = bench::now();
    map(*arrays);
    const double seconds = bench::now() - begin;
    arrays->check();
    return static_cast<double>(count) / seconds;
  };
}

// A static split over children that are there before the clock runs, as the workers of a pool are.
// They have the items from the fork; a byte each way says go and done.
class RunningForks {
 public:
  RunningForks(Arrays& arrays, size_t processes) {
    for (size_t i = 0; i < processes; i++) {
      int ends[2];
      bench::require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0, "no sockets");
      const pid_t child = fork();
      bench::require(child >= 0, "fork failed");
      if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        // Else the child would keep its own socket from ending.
        close(ends[0]);
        char byte = 0;
        while (read(ends[1], &byte, 1) == 1) {
          arrays.run(arrays.size() * i / processes, arrays.size() * (i + 1) / processes);
          if (write(ends[1], &byte, 1) != 1) break;
        }
        _exit(0);
      }
      close(ends[1]);
      sockets_.push_back(ends[0]);
      children_.push_back(child);
    }
  }

  ~RunningForks() {
    for (const int socket : sockets_) close(socket);
    for (const pid_t child : children_) waitpid(child, nullptr, 0);
  }

  RunningForks(const RunningForks&) = delete;
  RunningForks& operator=(const RunningForks&) = delete;

  void run() {
    char byte = 0;
    for (const int to : sockets_) bench::require(write(to, &byte, 1) == 1, "a child has ended");
    for (const int from : sockets_) bench::require(read(from, &byte, 1) == 1, "a child failed");
  }

 private:
  std::vector<int> sockets_;
  std::vector<pid_t> children_;
};

std::function<void(Arrays&)> split_over_forks(size_t processes) {
  return [=, forks = std::shared_ptr<RunningForks>()](Arrays& arrays) mutable {
    if (!forks) forks = std::make_shared<RunningForks>(arrays, processes);
    forks->run();
  };
}

#ifdef BENCH_TBB
void loop_over_threads(Arrays& arrays, size_t threads) {
  using oneapi::tbb::global_control;
  const global_control limit(global_control::max_allowed_parallelism, threads);
  oneapi::tbb::parallel_for(oneapi::tbb::blocked_range<size_t>(0, arrays.size()),
                            [&](const oneapi::tbb::blocked_range<size_t>& range) {
                              arrays.run(range.begin(), range.end());
                            });
}
#endif

void body(const bench::Options& options) {
  const size_t count = options.is_short ? 100000 : 10000000;
  const size_t python_count = options.is_short ? 10000 : 1000000;
  const size_t processes = mpc_process_cpu_count();
  bench::Race race;
  bench::Aside serial_process(
      contestant(count, Results::kHeap, [](Arrays& arrays) { arrays.run(0, arrays.size()); }));
  bench::Aside forking_process(contestant(count, Results::kShared, split_over_forks(processes)));
  const size_t serial = race.add([&] { return serial_process(); });
  const size_t forks = race.add([&] { return forking_process(); });
#ifdef BENCH_TBB
  bench::Aside threaded_process(contestant(
      count, Results::kHeap, [=](Arrays& arrays) { loop_over_threads(arrays, processes); }));
  const size_t threads = race.add([&] { return threaded_process(); });
#endif
#ifdef BENCH_PYTHON
  const size_t python = race.add([=] {
    return bench::number_printed_by({BENCH_PYTHON, BENCH_FOLDER "/pool/cpython_map.py",
                                     std::to_string(python_count), std::to_string(processes)});
  });
#endif
  mpc_pool* pool = nullptr;
  bench::check(mpc_pool_create(nullptr, &pool), "create");
  const size_t library = race.add(contestant(count, Results::kHeap, [pool](Arrays& arrays) {
    bench::check(
        mpc_pool_map(pool, g_function, arrays.items(), arrays.size(), sizeof(*arrays.items()),
                     arrays.results(), sizeof(*arrays.results()), nullptr),
        "map");
  }));
  race.run(options.rounds());
  bench::check(mpc_pool_destroy(pool), "destroy");

  const std::string workers = std::to_string(processes);
  const auto millions = [&](size_t which) {
    const bench::Sample sample = race.sample(which);
    return bench::Sample{sample.median / 1e6, sample.min / 1e6, sample.max / 1e6};
  };
  const bench::Sample ours = millions(library);
  const bench::Sample limit = millions(forks);
  bench::print_row("libmpc mpc_pool_map, " + workers + " workers, " + std::to_string(count) +
                       " items of 8 bytes",
                   ours, "M items/s", "at least 50 M items/s", ours.median >= 50);
  bench::print_row("one process, plain loop", millions(serial), "M items/s");
  bench::print_row("limit: static split over " + workers + " running forks, shared results", limit,
                   "M items/s");
  // What a loop in one process or a peer beats by more than the noise is no limit.
  double proof = millions(serial).median;
#ifdef BENCH_TBB
  bench::print_row("oneTBB parallel_for, " + workers + " threads", millions(threads), "M items/s");
  proof = std::max(proof, millions(threads).median);
#else
  bench::print_missing("oneTBB parallel_for", "oneTBB");
#endif
#ifdef BENCH_PYTHON
  bench::print_row(
      "CPython Pool.map, " + workers + " workers, " + std::to_string(python_count) + " items",
      millions(python), "M items/s");
#else
  bench::print_missing("CPython Pool.map", "python3");
#endif
  const double ratio = ours.median / limit.median;
  bench::print_share_of_limit("libmpc / limit", ratio, limit.median >= 0.9 * proof);
}

}  // namespace

int main(int argc, char** argv) {
  return bench::run(argc, argv, "Mapping a small function over many items", body);
}
