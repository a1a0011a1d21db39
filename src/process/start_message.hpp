// SPDX-License-Identifier: Apache-2.0
// What the starter of a fresh image tells it, in a block of group memory.
//
// The block is the child's from the start on: private to the record that is reserved for it
// (space_hand_over()), so that it goes when the child does, killed or not, begun or not. The child
// uses the argument and the refs in place.
#ifndef MPC_PROCESS_START_MESSAGE_HPP
#define MPC_PROCESS_START_MESSAGE_HPP

#include <string_view>

#include "group/group.hpp"
#include "process/function_name.hpp"
#include "process/launcher.hpp"

namespace mpc {

inline constexpr uint32_t kStartMessageVersion = 1;

// A piece of the block: where it begins and its size, from the block's start.
struct StartPiece {
  uint64_t offset = 0;
  uint64_t size = 0;
};

struct StartMessage {
  uint32_t version = kStartMessageVersion;
  uint32_t ignore_sigint = 0;
  uint32_t daemon = 0;
  uint32_t detach = 0;
  uint32_t start_method = 0;  // the default that the starter has chosen, or none
  int32_t log_level = 0;
  int32_t parent_pid = 0;
  uint32_t has_function = 0;
  uint64_t parent_identity = 0;
  uint64_t size = 0;  // of the whole block
  StartPiece name;
  StartPiece path;
  StartPiece parent_name;
  StartPiece function;  // function_pack()
  StartPiece argument;
  StartPiece refs;
  StartPiece setup;     // setup_pack(); empty: nothing was chosen
  StartPiece creator;   // creator_state_pack(), for a fork server's child
  StartPiece lifeline;  // LifelineAddress of the starter
  StartPiece first;     // FirstProcess; without an owner where the child is the first of a tree
  StartPiece preload;   // preload_pack() of what the starter has chosen for fork servers
  StartPiece report;    // room for why the child could not begin

  std::string_view text(const StartPiece& piece) const {
    return {reinterpret_cast<const char*>(this) + piece.offset, piece.size};
  }
};

// Writes the message for a child; the offset of its block. `function` is null where it runs none.
Result<uint64_t> start_message_write(Group& group, const StartRequest& request,
                                     const FunctionName* function);

// The message at an offset. MPC_EINTERNAL where it makes no sense.
Result<const StartMessage*> start_message_at(const Group& group, uint64_t offset);

}  // namespace mpc

#endif
