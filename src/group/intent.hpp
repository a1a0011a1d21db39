// SPDX-License-Identifier: Apache-2.0
// A note of what a thread is in the middle of, so that others can undo it if the process dies.
#ifndef MPC_GROUP_INTENT_HPP
#define MPC_GROUP_INTENT_HPP

#include "group/group.hpp"

namespace mpc {

// Borrows one of the participant's slots for the length of an operation. Where all are in use, by
// as many threads of this process that are each in the middle of one, it waits for the first to
// be done: they hold no lock and wait for nobody.
class IntentNote {
 public:
  IntentNote(Group& group, Intent intent, uint64_t first, uint64_t length, uint64_t stamp);
  ~IntentNote();
  IntentNote(const IntentNote&) = delete;
  IntentNote& operator=(const IntentNote&) = delete;

 private:
  Group& group_;
  uint32_t slot_;
};

}  // namespace mpc

#endif
