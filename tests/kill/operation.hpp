// SPDX-License-Identifier: Apache-2.0
// One operation of the library as the harness sees it: what the victim does, what the survivors do
// after it, and what must be true then.
//
// The driver is the root of a group and traces. For each kill it makes one Case, which prepares
// what the victim is to work on, runs the victim's part in a child of the driver's own fork, and
// settles the account with whoever is left.
#ifndef MPC_TESTS_KILL_OPERATION_HPP
#define MPC_TESTS_KILL_OPERATION_HPP

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <mpc/mpc.h>

namespace kill_tests {

struct Progress;
struct Tally;

// Whether the operation's committing instruction was carried out, as its effects tell.
enum class Committed { kUnknown, kNo, kYes };

// What victim and driver tell each other; in memory that both see.
struct Notes {
  int32_t status;
  int32_t flag;    // not 0: the operation is through
  uint32_t go;     // 1: whoever is through waits until this is 2
  uint32_t calls;  // of the function that a map runs
  void* address;
  mpc_ref ref;
};

class Case {
 public:
  Case();
  virtual ~Case();
  Case(const Case&) = delete;
  Case& operator=(const Case&) = delete;

  // In the driver, before the victim exists.
  virtual void prepare() {}
  // In the victim: what it needs, the one operation, and, where it lives, what undoes it.
  virtual void set_up() {}
  virtual void operate() = 0;
  virtual void finish() {}
  // In the driver while the victim waits before its operation.
  virtual void before_operation() {}
  // In the driver: the victim, held, has forked this one.
  virtual void born(pid_t) {}
  // The process to kill where it is not the one that set_up() ran in, but a descendant of it: that
  // one then runs operate() and must come through.
  virtual pid_t descendant() { return 0; }
  // A process that is held still until the victim is where it is to be, so that the victim acts
  // first. The victim is followed only as far as it comes without that one.
  virtual pid_t held_meanwhile() { return 0; }
  // In the driver when the victim is dead and nothing is swept yet.
  virtual Committed look(pid_t) { return Committed::kUnknown; }
  // In the driver after the sweep, or after the victim left in good order: checks what must hold
  // and takes back what prepare() made.
  virtual Committed settle(bool) { return Committed::kUnknown; }

  Notes& notes();

 private:
  size_t slot_;
};

struct Operation {
  std::string name;
  std::function<std::unique_ptr<Case>()> make;
  // The survivors do this as often as they are told.
  std::function<void(uint32_t)> repeat;
  // How often after each kill, where CI has to be done in minutes.
  uint32_t repeats = 1000;
  // At most so many places, evenly spread, where CI has to be done in minutes.
  uint32_t most_points = 10000;
  // Whether the victim waits for others, so that only the number of its steps says where it is.
  bool waits_for_others = false;
  // Where this is no single operation but a campaign of its own: all of it, in the driver. The flag
  // asks for the longer form.
  std::function<Tally(Progress&, bool)> run = nullptr;
};

// The tables, and all of them in order.
std::vector<Operation> group_operations();
std::vector<Operation> object_operations();
std::vector<Operation> process_operations();
std::vector<Operation> pool_operations();
std::vector<Operation> all_operations();

// Ends the process when a call fails that must not.
void must(mpc_status status, const char* call);

// Throws Fault when a call of the driver's fails.
void expect_ok(mpc_status status, const char* call);

}  // namespace kill_tests

#endif
