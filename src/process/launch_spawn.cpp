// SPDX-License-Identifier: Apache-2.0
// The start method `spawn`: a fresh image that is taken over.
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <algorithm>

#include "group/memory_descriptor.hpp"
#include "process/function_name.hpp"
#include "process/image.hpp"
#include "process/launch_image.hpp"
#include "process/launcher.hpp"
#include "process/start_message.hpp"
#include "process/takeover.hpp"

namespace mpc {
namespace {

// The numbers that the child gets the library's descriptors under: behind all that the program
// gives it, and all that these come from.
struct Numbers {
  int memory = STDERR_FILENO + 1;
  int tie;
  int key;
  int first_free;

  explicit Numbers(const StartRequest& request) {
    if (request.setup != nullptr) {
      for (const auto& [from, to] : request.setup->descriptors.passed()) {
        memory = std::max({memory, from + 1, to + 1});
      }
    }
    tie = memory + 1;
    key = tie + 1;
    first_free = key + 1;
  }
};

// The creator's environment as it is now, with the ticket.
std::vector<char*> environment_with(std::string& ticket, std::string& preload) {
  std::vector<char*> environment;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    if (!preload.empty() && strncmp(*entry, "LD_PRELOAD=", 11) == 0) continue;
    environment.push_back(*entry);
  }
  if (!preload.empty()) environment.push_back(preload.data());
  environment.push_back(ticket.data());
  environment.push_back(nullptr);
  return environment;
}

// A pipe that holds the key: it is in no memory but this process's and the child's.
Fd pipe_with(const Authkey& key, int least) {
  int ends[2];
  if (key.size == 0 || pipe2(ends, O_CLOEXEC) != 0) return {};
  Fd reading(ends[0]);
  Fd writing(ends[1]);
  bool written = write(writing.get(), key.bytes, key.size) == static_cast<ssize_t>(key.size);
  return written ? Fd(fcntl(reading.get(), F_DUPFD_CLOEXEC, least)) : Fd();
}

}  // namespace

Result<Started> launch_spawn(Group& group, const StartRequest& request) {
  FunctionName function;
  bool has_function = request.task->function != nullptr;
  if (has_function) {
    auto address = reinterpret_cast<const void*>(request.task->function);
    Result<FunctionName> named = function_name_of(address);
    if (!named) return named.error();
    function = std::move(*named);
  }
  Result<Image> image = request.image != nullptr ? Result<Image>(*request.image)
                                                 : image_for(has_function ? &function : nullptr);
  if (!image) return image.error();
  Numbers number(request);
  Result<Fd> memory_fd = memory_descriptor(group, number.first_free);
  if (!memory_fd) return memory_fd.error();
  Fd tie;
  if (!request.detach) {
    Fd connection = lifeline_connection(request.tie);
    if (connection) tie = Fd(fcntl(connection.get(), F_DUPFD_CLOEXEC, number.first_free));
  }
  Result<uint64_t> message =
      start_message_write(group, request, has_function ? &function : nullptr);
  if (!message) return message.error();

  Fd key = pipe_with(request.child.authkey, number.first_free);

  StartTicket ticket;
  ticket.key_fd = key ? number.key : -1;
  ticket.memory_fd = number.memory;
  ticket.base = reinterpret_cast<uint64_t>(group.mapping().base);
  ticket.size = group.mapping().size;
  ticket.tied = !request.detach;
  ticket.tie_fd = tie ? number.tie : -1;
  ticket.parent_pid = request.parent_pid;
  ticket.starter = request.starter;
  ticket.record = request.record;
  ticket.message = *message;
  std::string ticket_entry = ticket_text(ticket);
  std::string name = request.child.name;

  ImageStart start;
  start.path = image->path;
  start.arguments = {image->argument0.data(), image->names_child ? name.data() : nullptr, nullptr};
  start.environment = environment_with(ticket_entry, image->preload);
  if (request.setup != nullptr) {
    start.descriptors = request.setup->descriptors.passed();
    start.leads_group = request.setup->wanted->process_group == MPC_PROCESS_GROUP_NEW;
  }
  start.descriptors.emplace_back(memory_fd->get(), number.memory);
  if (tie) start.descriptors.emplace_back(tie.get(), number.tie);
  if (key) start.descriptors.emplace_back(key.get(), number.key);
  Result<int32_t> pid = launch_image(start);
  if (!pid) return pid.error();
  // It does so itself too; but its loader may take long, and run other people's constructors.
  if (tie) fcntl(tie.get(), F_SETOWN, *pid);
  return Started{*pid, *message};
}

}  // namespace mpc
