// SPDX-License-Identifier: Apache-2.0
// Refs as C sees them, and objects as the core knows them.
#ifndef MPC_CAPI_REFS_HPP
#define MPC_CAPI_REFS_HPP

#include "boundary.hpp"
#include "group/object.hpp"

namespace mpc {

inline mpc_ref ref_to(const Group& group, mpc_kind kind, ObjectId id) {
  return mpc_ref{group.header().id, static_cast<uint32_t>(kind), id.index, id.generation, 0};
}

// The object that a ref names; `kind` MPC_KIND_NONE takes any.
inline Result<ObjectId> object_of(const Group& group, const mpc_ref* ref, mpc_kind kind) {
  if (ref == nullptr) return null_argument("the ref");
  if (ref->kind == MPC_KIND_NONE || (kind != MPC_KIND_NONE && ref->kind != kind)) {
    return failure(MPC_EINVAL, "the ref names %s", ref->kind == 0 ? "nothing" : "something else");
  }
  if (ref->group != group.header().id) {
    return failure(MPC_EGROUP,
                   "the ref is of group %llx and this process is in %llx; refs are good only among "
                   "processes that descend from one through libmpc",
                   static_cast<unsigned long long>(ref->group),
                   static_cast<unsigned long long>(group.header().id));
  }
  return ObjectId{ref->place, ref->generation};
}

}  // namespace mpc

#endif
