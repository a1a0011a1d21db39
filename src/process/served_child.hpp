// SPDX-License-Identifier: Apache-2.0
// The child of a fork server, from the fork to its function.
//
// What can be worked out in the server is, before the fork, and kept for the next child, which is
// likely to be told the same: in a child each page that it comes to first is a fault, and a fault
// costs more than what is usually done there. The code of the child lies together for the same
// reason (base/child_page.hpp).
#ifndef MPC_PROCESS_SERVED_CHILD_HPP
#define MPC_PROCESS_SERVED_CHILD_HPP

#include <array>
#include <map>
#include <string>

#include "base/fd.hpp"
#include "group/group.hpp"
#include "process/creator_state.hpp"
#include "process/self.hpp"
#include "process/server_control.hpp"
#include "process/start_message.hpp"

namespace mpc {

// The descriptors that came with a request, in the order in which they were sent.
struct Passed {
  std::array<Fd, kServerDescriptors> fds;
  uint32_t count = 0;
};

class ServedChild {
 public:
  explicit ServedChild(Group& group) : group_(group) {}

  // In the server: `present` is the state that its children begin with.
  void start_from(CreatorState present);
  // For the next child.
  void prepare(const StartMessage& message, const ServerRequest& request);
  // Leaves nothing of the creator's key in the server.
  void forget_key() { self_.authkey = AuthkeyCopy(); }

  // In the child: takes its creator's state, the descriptors that it was given and no others, its
  // record and its tie, and runs it to its end.
  [[noreturn]] void run(ServerRequest& request, Passed& passed) noexcept;

 private:
  void prepare_function();
  void prepare_state();
  void compare_states(std::string_view text);
  void begin(const ServerRequest& request, Passed& passed);
  int put_in_place(const ServerRequest& request, Passed& passed);
  void take_state();
  void take_limits();

  Group& group_;
  const StartMessage* message_ = nullptr;
  Self self_;
  const void* function_ = nullptr;  // null: none, or one that only the child is to load
  CreatorState present_;
  CreatorState wanted_;
  std::string wanted_text_;  // what `wanted_` was unpacked from
  bool wanted_known_ = false;
  bool little_differs_ = false;  // no more of it than is set right without the C library
  std::map<std::string, const void*, std::less<>> functions_;  // by function_pack()
};

}  // namespace mpc

#endif
