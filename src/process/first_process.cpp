// SPDX-License-Identifier: Apache-2.0
#include "process/first_process.hpp"

#include "group/participant.hpp"

namespace mpc {

FirstProcess first_process(const Group& group, const LifelineAddress& own) {
  FirstProcess inherited = self().first;
  if (inherited.owner && participant_present(group, inherited.owner)) return inherited;
  return FirstProcess{group.self, own};
}

}  // namespace mpc
