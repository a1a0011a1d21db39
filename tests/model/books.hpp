// SPDX-License-Identifier: Apache-2.0
// The books of a group, read word by word when the dead have been swept: independent of the code
// that keeps them.
#ifndef MPC_TESTS_MODEL_BOOKS_HPP
#define MPC_TESTS_MODEL_BOOKS_HPP

#include <string>

#include "group/group.hpp"

namespace mpc::model {

// What is wrong, in a line; empty if every word that names a participant names one that is in the
// group.
std::string look_for_the_dead(const Group& group);

// What is wrong; empty if nothing is half made and every part of a run has its head. REQUIRES:
// nobody is in the middle of anything.
std::string look_for_the_unfinished(const Group& group);

// Regions that are not free.
uint32_t regions_in_use(const Group& group);
// Descriptors that are not free.
uint32_t descriptors_in_use(const Group& group);
// Blocks, large and small, that are not free.
uint32_t blocks_in_use(const Group& group);

}  // namespace mpc::model

#endif
