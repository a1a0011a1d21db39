// SPDX-License-Identifier: Apache-2.0
#include "process/start_message.hpp"

#include <sys/single_threaded.h>

#include <cstring>
#include <new>

#include "base/child_page.hpp"
#include "base/log.hpp"
#include "group/space.hpp"
#include "process/creator_state.hpp"
#include "process/packed_function.hpp"
#include "process/preload.hpp"
#include "process/start_method.hpp"

namespace mpc {
namespace {

constexpr uint64_t kReportRoom = 256;
constexpr uint64_t kAlignment = 16;  // of the argument and the refs, as malloc() has it

// Lays pieces out one after the other, then copies them.
class Pieces {
 public:
  explicit Pieces(uint64_t begin) : end_(begin) {}

  void add(StartPiece& piece, const void* data, uint64_t size) {
    end_ = (end_ + kAlignment - 1) / kAlignment * kAlignment;
    piece = StartPiece{end_, size};
    sources_.emplace_back(piece, data);
    end_ += size;
  }

  uint64_t end() const { return end_; }

  void copy_to(char* block) const {
    for (const auto& [piece, data] : sources_) {
      if (data != nullptr && piece.size > 0) memcpy(block + piece.offset, data, piece.size);
    }
  }

 private:
  uint64_t end_;
  std::vector<std::pair<StartPiece, const void*>> sources_;
};

}  // namespace

Result<uint64_t> start_message_write(Group& group, const StartRequest& request,
                                     const FunctionName* function) {
  StartMessage message;
  message.ignore_sigint = request.ignore_sigint ? 1 : 0;
  message.daemon = request.child.daemon ? 1 : 0;
  message.detach = request.detach ? 1 : 0;
  message.start_method = static_cast<uint32_t>(start_method_get(true));
  message.log_level = log_level();
  message.parent_pid = request.parent_pid;
  message.parent_identity = request.child.parent_identity;
  message.has_function = function != nullptr ? 1 : 0;

  const Task& task = *request.task;
  Pieces pieces(sizeof message);
  auto add_text = [&](StartPiece& piece, const std::string& text) {
    pieces.add(piece, text.data(), text.size());
  };
  add_text(message.name, request.child.name);
  add_text(message.path, request.child.path);
  add_text(message.parent_name, request.child.parent_name);
  std::string packed = function != nullptr ? function_pack(*function) : std::string();
  add_text(message.function, packed);
  pieces.add(message.argument, task.argument.data(), task.argument.size());
  pieces.add(message.refs, task.refs.data(), task.refs.size() * sizeof(mpc_ref));
  // A program is set up before its image begins.
  bool sets_up = request.setup != nullptr && !task.program;
  std::string setup = sets_up ? setup_pack(*request.setup->wanted) : "";
  add_text(message.setup, setup);
  std::string creator;
  if (request.server != nullptr) {
    creator = creator_state_pack(creator_state_now(__libc_single_threaded != 0));
  }
  add_text(message.creator, creator);
  pieces.add(message.lifeline, &request.tie.lifeline, sizeof request.tie.lifeline);
  pieces.add(message.first, &request.child.first, sizeof request.child.first);
  std::string preload = preload_chosen();
  add_text(message.preload, preload);
  pieces.add(message.report, nullptr, kReportRoom);
  message.size = pieces.end();

  Result<uint64_t> offset = space_allocate(group, message.size);
  if (!offset) return offset;
  char* block = group.at(*offset);
  memcpy(block, &message, sizeof message);
  memset(block + message.report.offset, 0, message.report.size);
  pieces.copy_to(block);
  space_hand_over(group, *offset, request.record);
  return offset;
}

MPC_CHILD_CODE Result<const StartMessage*> start_message_at(const Group& group, uint64_t offset) {
  uint64_t room = space_room(group, offset);
  const auto* message = reinterpret_cast<const StartMessage*>(group.at(offset));
  auto fits = [&](const StartPiece& piece) {
    return piece.offset <= message->size && piece.size <= message->size - piece.offset;
  };
  if (room < sizeof(StartMessage) || message->version != kStartMessageVersion ||
      message->size > room || !fits(message->name) || !fits(message->path) ||
      !fits(message->parent_name) || !fits(message->function) || !fits(message->argument) ||
      !fits(message->refs) || !fits(message->setup) || !fits(message->creator) ||
      !fits(message->lifeline) || !fits(message->first) || !fits(message->preload) ||
      !fits(message->report)) {
    return failure(MPC_EINTERNAL, "the message to a child is not one that this library writes");
  }
  return message;
}

}  // namespace mpc
