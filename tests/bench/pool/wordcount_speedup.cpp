// SPDX-License-Identifier: Apache-2.0
// The word count of examples/ by a pool, beside a static split of the same files over raw forks and
// beside one process. All three count with the same function and must come to the same words.
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

extern "C" {
#include "wordcount_pool.h"
}

#include "support/bench.hpp"

namespace {

struct Count {
  word_table table{};
  file_tally tally{};

  Count() = default;
  Count(const Count&) = delete;
  Count& operator=(const Count&) = delete;
  ~Count() { word_table_free(&table); }

  void clear() {
    word_table_clear(&table);
    tally = {};
  }
};

// Where a child of the static split leaves what it has counted; its packed words follow.
struct Handover {
  uint64_t size;
  file_tally tally;

  char* words() { return reinterpret_cast<char*>(this + 1); }
};

// One file of a share, or one part of it: offset, length, path (see wordcount_files.h).
struct Part {
  std::string bytes;
  uint64_t cost;
};

// The static split knows beforehand which files are binary and cost next to nothing, which the pool
// has to find out: it is as even as a split by size can be.
uint64_t cost_of(const char* path, uint64_t length) {
  constexpr uint64_t kFileCost = 4096;
  char block[4096];
  const int file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  const ssize_t got = file < 0 ? 0 : read(file, block, sizeof(block));
  if (file >= 0) close(file);
  const bool is_text = got > 0 && memchr(block, 0, static_cast<size_t>(got)) == nullptr;
  return kFileCost + (is_text ? length : 0);
}

std::vector<Part> parts_of(const share_list& shares) {
  std::vector<Part> parts;
  for (size_t i = 0; i < shares.count; i++) {
    const char* at = shares.shares[i].data;
    const char* const end = at + shares.shares[i].size;
    while (at < end) {
      uint64_t length = 0;
      memcpy(&length, at + sizeof(uint64_t), sizeof(length));
      const char* path = at + 2 * sizeof(uint64_t);
      const char* next = path + strlen(path) + 1;
      parts.push_back({std::string(at, next), cost_of(path, length)});
      at = next;
    }
  }
  std::sort(parts.begin(), parts.end(),
            [](const Part& one, const Part& other) { return one.cost > other.cost; });
  return parts;
}

// The static split over raw forks: each child counts its share from nothing and hands the words
// over in shared memory, which is there from the first round on; the parent puts the tables
// together.
class StaticSplit {
 public:
  StaticSplit(const share_list& shares, size_t processes) : shares_(processes) {
    std::vector<uint64_t> costs(processes);
    for (const Part& part : parts_of(shares)) {
      const auto least =
          static_cast<size_t>(std::min_element(costs.begin(), costs.end()) - costs.begin());
      shares_[least] += part.bytes;
      costs[least] += part.cost;
    }
    for (size_t i = 0; i < processes; i++) {
      void* memory = mmap(nullptr, kHandoverSize, PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
      bench::require(memory != MAP_FAILED, "no shared memory");
      handovers_.push_back(static_cast<Handover*>(memory));
    }
  }

  ~StaticSplit() {
    for (Handover* handover : handovers_) munmap(handover, kHandoverSize);
  }

  StaticSplit(const StaticSplit&) = delete;
  StaticSplit& operator=(const StaticSplit&) = delete;

  void count(Count& out) {
    out.clear();
    std::vector<pid_t> children;
    for (size_t i = 0; i < handovers_.size(); i++) {
      const pid_t child = fork();
      bench::require(child >= 0, "fork failed");
      if (child == 0) _exit(count_one(shares_[i], *handovers_[i]) ? 0 : 1);
      children.push_back(child);
    }
    for (size_t i = 0; i < children.size(); i++) {
      int status = 0;
      bench::require(waitpid(children[i], &status, 0) == children[i] && status == 0,
                     "a child failed");
      Handover& handover = *handovers_[i];
      file_tally_add(&out.tally, &handover.tally);
      bench::require(word_table_merge(&out.table, handover.words(), handover.size) == 0,
                     "a child's words make no sense");
    }
  }

 private:
  static constexpr size_t kHandoverSize = size_t{1} << 30;

  static bool count_one(const std::string& share, Handover& handover) {
    word_table table{};
    packed_words packed{};
    handover.tally = {};
    if (count_share(share.data(), share.size(), &table, &handover.tally) != 0) return false;
    if (word_table_pack(&table, &packed) != 0) return false;
    if (packed.size > kHandoverSize - sizeof(Handover)) return false;
    memcpy(handover.words(), packed.data, packed.size);
    handover.size = packed.size;
    return true;
  }

  std::vector<std::string> shares_;
  std::vector<Handover*> handovers_;
};

void count_alone(const share_list& shares, Count& out) {
  out.clear();
  for (size_t i = 0; i < shares.count; i++) {
    const file_share& share = shares.shares[i];
    bench::require(count_share(share.data, share.size, &out.table, &out.tally) == 0,
                   "out of memory");
  }
}

void require_same(const Count& one, const Count& other) {
  bench::require(word_table_equal(&one.table, &other.table) != 0, "other words were counted");
  bench::require(memcmp(&one.tally, &other.tally, sizeof(one.tally)) == 0,
                 "other files were counted");
}

template <class Job>
double milliseconds(Job job) {
  const double begin = bench::now();
  job();
  return 1e3 * (bench::now() - begin);
}

void body(const bench::Options& options) {
  std::vector<std::string> folders = options.names;
  if (folders.empty() && options.is_short)
    folders = {BENCH_TREE "/examples", BENCH_TREE "/include"};
  if (folders.empty()) folders = {"/usr/share/doc", "/usr/share/common-licenses"};
  file_list files{};
  for (const std::string& folder : folders) {
    if (file_list_add(&files, folder.c_str()) != 0) {
      throw bench::Wrong(folder + ": " + strerror(errno));
    }
  }
  file_list_settle(&files);

  const size_t processes = mpc_process_cpu_count();
  const std::string workers = std::to_string(processes);
  share_list shares{};
  bench::require(share_files(&files, processes, &shares) == 0, "out of memory");
  StaticSplit split(shares, processes);
  mpc_pool* pool = nullptr;
  bench::check(mpc_pool_create(nullptr, &pool), "create");

  Count of_one;
  Count of_forks;
  Count of_pool;
  bench::Race race;
  const size_t one = race.add([&] { return milliseconds([&] { count_alone(shares, of_one); }); });
  const size_t forks = race.add([&] { return milliseconds([&] { split.count(of_forks); }); });
  const size_t library = race.add([&] {
    return milliseconds([&] {
      of_pool.clear();
      bench::check(count_with_pool(pool, &shares, nullptr, nullptr, &of_pool.table, &of_pool.tally),
                   "map");
    });
  });
  race.run(options.rounds());
  require_same(of_one, of_forks);
  require_same(of_one, of_pool);
  bench::check(mpc_pool_destroy(pool), "destroy");

  const bench::Sample alone = race.sample(one);
  const bench::Sample limit = race.sample(forks);
  const bench::Sample ours = race.sample(library);
  const double limit_speedup = alone.median / limit.median;
  const double speedup = alone.median / ours.median;
  const double ratio = speedup / limit_speedup;
  // A split that does not keep the processes busy is no limit.
  const bool limit_valid = limit_speedup >= 0.75 * static_cast<double>(processes);
  printf("%zu files, %.1f MB of text, %zu different words\n", files.count,
         static_cast<double>(of_one.tally.text_bytes) / 1e6, of_one.table.distinct);
  bench::print_row("one process", alone, "ms");
  bench::print_row("limit: static split over " + workers + " raw forks", limit, "ms");
  bench::print_row("libmpc pool of " + workers, ours, "ms");
  bench::print_row("speed-up of the limit over one process",
                   {limit_speedup, limit_speedup, limit_speedup}, "x");
  bench::print_row("speed-up of libmpc over one process", {speedup, speedup, speedup}, "x");
  bench::print_row("libmpc's speed-up / the limit's", {ratio, ratio, ratio}, "x", "at least 0.95 x",
                   ratio >= 0.95, limit_valid);
  share_list_free(&shares);
  file_list_free(&files);
}

}  // namespace

int main(int argc, char** argv) { return bench::run(argc, argv, "Counting words", body); }
