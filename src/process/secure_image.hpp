// SPDX-License-Identifier: Apache-2.0
// Whether the kernel would have a fresh image run in secure mode: because its file gives it another
// user, another group or capabilities, or because this process's own are not its real ones.
//
// There the library is told nothing by the environment, and the program's own main would run.
#ifndef MPC_PROCESS_SECURE_IMAGE_HPP
#define MPC_PROCESS_SECURE_IMAGE_HPP

#include "base/result.hpp"
#include "process/image.hpp"

namespace mpc {

// MPC_ENOTSUP where it would, with what to do instead. `path` is image_file(image).
Result<void> image_check_not_secure(const Image& image, const std::string& path);

}  // namespace mpc

#endif
