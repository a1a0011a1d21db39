// SPDX-License-Identifier: Apache-2.0
// The one lock of this process's own state: tables of handles, attachments and children.
//
// It is held for short sections that call nothing of the program's and wait for nobody, and it is
// taken round fork() by an atfork handler, so that a child never finds those tables half changed.
#ifndef MPC_BASE_LOCAL_LOCK_HPP
#define MPC_BASE_LOCAL_LOCK_HPP

namespace mpc {

class LocalLock {
 public:
  LocalLock();
  ~LocalLock();
  LocalLock(const LocalLock&) = delete;
  LocalLock& operator=(const LocalLock&) = delete;
};

}  // namespace mpc

#endif
