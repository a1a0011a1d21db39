// SPDX-License-Identifier: Apache-2.0
// Joining, leaving and the allocator.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>

#include "books.hpp"
#include "census.hpp"
#include "fault.hpp"
#include "operation.hpp"
#include "tracee.hpp"

namespace kill_tests {
namespace {

constexpr size_t kSmall = 100;
constexpr size_t kLarge = (size_t{2} << 20) + 1;

Census census() { return Census(group_stats().address); }

// Runs a survivor in a process of its own.
void in_child(const std::function<void()>& body) {
  pid_t pid = fork();
  if (pid == 0) {
    body();
    _exit(0);
  }
  int status = -1;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (status != 0) fault("a surviving child ended with wait status %d", status);
}

class Join : public Case {
 public:
  void operate() override { must(mpc_group_join(), "mpc_group_join"); }
  void finish() override { must(mpc_group_leave(), "mpc_group_leave"); }
  Committed look(pid_t victim) override {
    auto owner = census().find(victim);
    return owner && census().is_live(*owner) ? Committed::kYes : Committed::kNo;
  }
};

// The driver listens from the first time on.
const char* listening_name() {
  static std::string name;
  if (name.empty()) {
    name = "@libmpc-kill-" + std::to_string(getpid());
    expect_ok(mpc_group_listen(name.c_str()), "mpc_group_listen");
  }
  return name.c_str();
}

// A process that was forked by the driver is one that belongs to no group when it has left.
void leave_what_was_inherited() {
  must(mpc_group_join(), "mpc_group_join");
  must(mpc_group_leave(), "mpc_group_leave");
}

class JoinPath : public Join {
 public:
  void prepare() override { name_ = listening_name(); }
  void set_up() override { leave_what_was_inherited(); }
  void operate() override { must(mpc_group_join_path(name_, MPC_FOREVER), "mpc_group_join_path"); }

 private:
  const char* name_ = nullptr;
};

class Leave : public Case {
 public:
  void set_up() override {
    void* block;
    must(mpc_group_join(), "mpc_group_join");
    must(mpc_group_alloc(kSmall, &block), "mpc_group_alloc");
    must(mpc_group_alloc(kLarge, &block), "mpc_group_alloc");
  }
  void operate() override { must(mpc_group_leave(), "mpc_group_leave"); }
  Committed look(pid_t victim) override {
    return census().find(victim) ? Committed::kNo : Committed::kYes;
  }
};

void join_and_leave(uint32_t times) {
  for (uint32_t i = 0; i < times; ++i) {
    in_child([] {
      must(mpc_group_join(), "mpc_group_join");
      must(mpc_group_leave(), "mpc_group_leave");
    });
  }
}

// A fork, and leaving what is inherited by it, take three times as long as what is repeated: a
// process does that several times.
constexpr uint32_t kJoinsOfProcess = 10;

void join_path_and_leave(uint32_t times) {
  const char* name = listening_name();
  for (uint32_t done = 0; done < times; done += kJoinsOfProcess) {
    in_child([name, joins = std::min(kJoinsOfProcess, times - done)] {
      leave_what_was_inherited();
      for (uint32_t i = 0; i < joins; ++i) {
        must(mpc_group_join_path(name, MPC_FOREVER), "mpc_group_join_path");
        must(mpc_group_leave(), "mpc_group_leave");
      }
    });
  }
}

template <size_t kSize>
class Alloc : public Case {
 public:
  void prepare() override { blocks_ = group_stats().blocks; }
  void set_up() override { must(mpc_group_join(), "mpc_group_join"); }
  void operate() override { must(mpc_group_alloc(kSize, &notes().address), "mpc_group_alloc"); }
  void finish() override {
    memset(notes().address, 0x5a, kSize);
    must(mpc_group_free(notes().address), "mpc_group_free");
    must(mpc_group_leave(), "mpc_group_leave");
  }
  Committed look(pid_t) override {
    uint64_t now = group_stats().blocks;
    if (now != blocks_ && now != blocks_ + 1) fault("one allocation made several blocks");
    return now == blocks_ ? Committed::kNo : Committed::kYes;
  }

 private:
  uint64_t blocks_ = 0;
};

template <size_t kSize>
class Publish : public Case {
 public:
  void set_up() override {
    must(mpc_group_join(), "mpc_group_join");
    must(mpc_group_alloc(kSize, &notes().address), "mpc_group_alloc");
    memset(notes().address, 0x5a, kSize);
  }
  void operate() override { must(mpc_group_publish(notes().address), "mpc_group_publish"); }
  void finish() override { must(mpc_group_leave(), "mpc_group_leave"); }
  Committed settle(bool died) override {
    auto* bytes = static_cast<const char*>(notes().address);
    char first = bytes[0];
    char last = bytes[kSize - 1];
    mpc_status status = mpc_group_free(notes().address);
    if (status < 0 && status != MPC_EINVAL) expect_ok(status, "mpc_group_free");
    if (status < 0 && !died) fault("a block that was published went with its maker");
    if (status >= 0 && (first != 0x5a || last != 0x5a)) {
      fault("a published block lost its contents");
    }
    return status < 0 ? Committed::kNo : Committed::kYes;
  }
};

template <size_t kSize>
class FreePrivate : public Case {
 public:
  void prepare() override { blocks_ = group_stats().blocks; }
  void set_up() override {
    must(mpc_group_join(), "mpc_group_join");
    must(mpc_group_alloc(kSize, &notes().address), "mpc_group_alloc");
  }
  void operate() override { must(mpc_group_free(notes().address), "mpc_group_free"); }
  void finish() override { must(mpc_group_leave(), "mpc_group_leave"); }

 private:
  uint64_t blocks_ = 0;
};

template <size_t kSize>
class FreePublished : public Case {
 public:
  void prepare() override {
    expect_ok(mpc_group_alloc(kSize, &block_), "mpc_group_alloc");
    expect_ok(mpc_group_publish(block_), "mpc_group_publish");
  }
  void set_up() override { must(mpc_group_join(), "mpc_group_join"); }
  void operate() override { must(mpc_group_free(block_), "mpc_group_free"); }
  void finish() override { must(mpc_group_leave(), "mpc_group_leave"); }
  Committed settle(bool died) override {
    mpc_status status = mpc_group_free(block_);
    if (status < 0 && status != MPC_EINVAL) expect_ok(status, "mpc_group_free");
    if (status >= 0 && !died) fault("a block that was freed could be freed again");
    return status < 0 ? Committed::kYes : Committed::kNo;
  }

 private:
  void* block_ = nullptr;
};

void alloc_and_free_some(size_t size, uint32_t times) {
  std::array<void*, 8> blocks;
  for (uint32_t done = 0; done < times; done += blocks.size()) {
    for (void*& block : blocks) {
      expect_ok(mpc_group_alloc(size, &block), "mpc_group_alloc");
      memset(block, static_cast<int>(done), kSmall);
    }
    for (void* block : blocks) {
      if (*static_cast<unsigned char*>(block) != (done & 0xff)) fault("a block was given twice");
      if (done % 16 == 0) expect_ok(mpc_group_publish(block), "mpc_group_publish");
      expect_ok(mpc_group_free(block), "mpc_group_free");
    }
  }
}

void alloc_and_free_small(uint32_t times) { alloc_and_free_some(kSmall, times); }

void alloc_and_free_large(uint32_t times) { alloc_and_free_some(kLarge, times); }

}  // namespace

std::vector<Operation> group_operations() {
  return {
      {"join", [] { return std::make_unique<Join>(); }, join_and_leave},
      {"join.path", [] { return std::make_unique<JoinPath>(); }, join_path_and_leave},
      {"leave", [] { return std::make_unique<Leave>(); }, join_and_leave},
      {"alloc.small", [] { return std::make_unique<Alloc<kSmall>>(); }, alloc_and_free_small},
      // On a kernel before 5.14 each page is touched: hundreds of places of one kind.
      {"alloc.large", [] { return std::make_unique<Alloc<kLarge>>(); }, alloc_and_free_large, 1000,
       60},
      {"publish.small", [] { return std::make_unique<Publish<kSmall>>(); }, alloc_and_free_small},
      {"publish.large", [] { return std::make_unique<Publish<kLarge>>(); }, alloc_and_free_large},
      {"free.private.small", [] { return std::make_unique<FreePrivate<kSmall>>(); },
       alloc_and_free_small},
      {"free.private.large", [] { return std::make_unique<FreePrivate<kLarge>>(); },
       alloc_and_free_large},
      {"free.published.small", [] { return std::make_unique<FreePublished<kSmall>>(); },
       alloc_and_free_small},
      {"free.published.large", [] { return std::make_unique<FreePublished<kLarge>>(); },
       alloc_and_free_large},
  };
}

}  // namespace kill_tests
