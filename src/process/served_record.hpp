// SPDX-License-Identifier: Apache-2.0
// What a fork server tells about a child to who started it: that there is one, and what it used.
//
// It is in the child's record and not in its message, because the message is given back with all
// else of the child's as soon as it is dead, by whoever finds it so; and a server that was stopped
// may be late by any time. Each word carries the record's generation, and one of a later generation
// is never overwritten.
#ifndef MPC_PROCESS_SERVED_RECORD_HPP
#define MPC_PROCESS_SERVED_RECORD_HPP

#include <sys/resource.h>

#include <mpc/process.h>

#include "group/group.hpp"

namespace mpc {

struct ServedAnswer {
  // kBegun: by the child itself when it has its record, so that it is known who it was though the
  // server is killed before it answers. The others by the server, and they stay.
  enum Reply : uint32_t { kNone, kBegun, kStarted, kFailed };
  Reply reply = kNone;
  int32_t value = 0;  // the pid, or an errno
};

void served_answer(Group& group, Owner child, ServedAnswer answer);
ServedAnswer served_answer_read(const Group& group, Owner child);
// Until there is another than `seen`; may end for no reason.
void served_answer_wait(const Group& group, Owner child, ServedAnswer seen, int64_t timeout_ns);

// By the server that has reaped it, before it writes the end record.
void served_usage_write(Group& group, Owner child, const rusage& used);
// All zero where it is not known. Whether it left a core dump is not in it.
mpc_process_usage served_usage_read(const Group& group, Owner child);

}  // namespace mpc

#endif
