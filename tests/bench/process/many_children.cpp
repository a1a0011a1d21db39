// SPDX-License-Identifier: Apache-2.0
// Many children at once, and how long the last descendant outlives a root that is killed, by their
// depth and number. All descendants hold the write end of one pipe: each writes a byte when its
// function runs, and the kernel tells the end of the file when the last of them is gone.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <vector>

#include <mpc/mpc.h>

#include "support/bench.hpp"

namespace {

constexpr int kPipe = 40;          // the number of the write end in every descendant
constexpr int kPatience = 120000;  // ms, of a whole tree: against hanging only

struct Shape {
  mpc_start_method method;
  int number;  // children of each parent
  int depth;   // generations below the root
};

int total_of(const Shape& shape) {
  int total = 0;
  for (int depth = 0, in_this = 1; depth < shape.depth; depth++) {
    in_this *= shape.number;
    total += in_this;
  }
  return total;
}

int descend(const void* argument, size_t size, const mpc_ref* refs, size_t ref_count);

std::vector<mpc_process*> start_children(const Shape& shape, int write_end) {
  const Shape below{shape.method, shape.number, shape.depth - 1};
  const mpc_descriptor pipe{write_end, kPipe};
  mpc_process_options options = MPC_PROCESS_OPTIONS_INIT;
  options.start_method = shape.method;
  options.argument = &below;
  options.argument_size = sizeof(below);
  options.descriptors = &pipe;
  options.descriptor_count = 1;
  std::vector<mpc_process*> children(shape.depth > 0 ? static_cast<size_t>(shape.number) : 0);
  for (mpc_process*& child : children) {
    bench::check(mpc_process_create(descend, &options, &child), "create");
    bench::check(mpc_process_start(child), "start");
  }
  return children;
}

[[noreturn]] void wait_for_the_end() {
  for (;;) pause();
}

int descend(const void* argument, size_t, const mpc_ref*, size_t) {
  try {
    start_children(*static_cast<const Shape*>(argument), kPipe);
  } catch (const bench::Wrong& wrong) {
    fprintf(stderr, "wrong: %s\n", wrong.what());
    return 1;
  }
  if (write(kPipe, "", 1) != 1) return 1;
  wait_for_the_end();
}

// The read end: one byte each, then the end of the file.
class Descendants {
 public:
  Descendants() {
    int ends[2];
    bench::require(pipe2(ends, O_CLOEXEC) == 0, "no pipe");
    read_end_ = ends[0];
    write_end_ = ends[1];
  }
  ~Descendants() {
    close(read_end_);
    let_go();
  }
  Descendants(const Descendants&) = delete;
  Descendants& operator=(const Descendants&) = delete;

  int write_end() const { return write_end_; }
  void let_go() {
    if (write_end_ >= 0) close(write_end_);
    write_end_ = -1;
  }

  void await(int number) {
    while (number > 0) {
      const ssize_t n = read_some();
      bench::require(n > 0, "a descendant ended too soon");
      number -= static_cast<int>(n);
    }
  }
  void await_end() { bench::require(read_some() == 0, "a descendant came late"); }

 private:
  ssize_t read_some() {
    char bytes[512];
    pollfd readable{read_end_, POLLIN, 0};
    bench::require(poll(&readable, 1, kPatience) == 1, "a descendant hangs");
    return read(read_end_, bytes, sizeof(bytes));
  }
  int read_end_ = -1;
  int write_end_ = -1;
};

struct Times {
  double running = 0;  // ms from the first start until all run
  double joined = 0;   // ms to terminate and join them all
};

// In a process of its own, which has to see no other children.
Times start_and_join(const Shape& shape) {
  Descendants descendants;
  Times times;
  double begin = bench::now();
  const std::vector<mpc_process*> children = start_children(shape, descendants.write_end());
  descendants.await(total_of(shape));
  times.running = 1e3 * (bench::now() - begin);

  begin = bench::now();
  for (mpc_process* child : children) bench::check(mpc_process_terminate(child), "terminate");
  for (mpc_process* child : children) {
    int exit_code = 0;
    bench::check(mpc_process_join(child, MPC_FOREVER), "join");
    bench::check(mpc_process_exit_code(child, &exit_code), "exit code");
    bench::require(exit_code == -SIGTERM, "another exit code");
    bench::check(mpc_process_destroy(child), "destroy");
  }
  times.joined = 1e3 * (bench::now() - begin);
  return times;
}

// From SIGKILL for the root until its last descendant is gone, in ms.
double kill_root(const Shape& shape) {
  Descendants descendants;
  const pid_t root = fork();
  bench::require(root >= 0, "fork failed");
  if (root == 0) {
    try {
      start_children(shape, descendants.write_end());
      if (write(descendants.write_end(), "", 1) == 1) wait_for_the_end();
    } catch (const bench::Wrong& wrong) {
      fprintf(stderr, "wrong: %s\n", wrong.what());
    }
    _exit(1);
  }
  descendants.let_go();
  descendants.await(total_of(shape) + 1);
  const double begin = bench::now();
  kill(root, SIGKILL);
  descendants.await_end();
  const double time = 1e3 * (bench::now() - begin);
  int status = 0;
  bench::require(waitpid(root, &status, 0) == root, "waitpid failed");
  bench::require(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "the root ended by itself");
  return time;
}

std::string text_of(const Shape& shape) {
  return std::to_string(total_of(shape)) + " descendants, " + std::to_string(shape.depth) + " deep";
}

void body(const bench::Options& options) {
  const int many = options.is_short ? 20 : 1000;
  const int rounds = options.is_short ? 1 : 5;
  for (const mpc_start_method method : {MPC_START_FORKSERVER, MPC_START_FORK, MPC_START_SPAWN}) {
    std::vector<double> running;
    std::vector<double> joined;
    for (int round = 0; round < rounds; round++) {
      // The two times of a run come out of a process that ends with it.
      Times times;
      bench::Aside aside([&times, method, many, first = true]() mutable {
        if (first) times = start_and_join({method, many, 1});
        first = !first;
        return first ? times.joined : times.running;
      });
      running.push_back(aside());
      joined.push_back(aside());
    }
    const std::string what =
        std::to_string(many) + " children at once, " + mpc_start_method_name(method);
    bench::print_row(what + ": from the first start until all run", bench::sample_of(running),
                     "ms");
    bench::print_row(what + ": all terminated and joined", bench::sample_of(joined), "ms");
  }

  std::vector<Shape> shapes = {{MPC_START_FORKSERVER, 10, 1},   {MPC_START_FORKSERVER, 100, 1},
                               {MPC_START_FORKSERVER, many, 1}, {MPC_START_FORKSERVER, 1, 4},
                               {MPC_START_FORKSERVER, 1, 16},   {MPC_START_FORKSERVER, 10, 2},
                               {MPC_START_FORKSERVER, 5, 3}};
  if (options.is_short) shapes = {{MPC_START_FORKSERVER, 5, 1}, {MPC_START_FORKSERVER, 1, 3}};
  for (const Shape& shape : shapes) {
    std::vector<double> times;
    for (int round = 0; round < rounds; round++) times.push_back(kill_root(shape));
    bench::print_row("root killed to the last gone: " + text_of(shape), bench::sample_of(times),
                     "ms");
  }
}

}  // namespace

int main(int argc, char** argv) {
  return bench::run(argc, argv, "Many children, and the end of a root", body);
}
