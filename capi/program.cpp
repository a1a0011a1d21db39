// SPDX-License-Identifier: Apache-2.0
#include "process/program.hpp"

#include <mpc/program.h>

#include "boundary.hpp"

extern "C" {

mpc_status mpc_program_begin(const void** out_argument, size_t* out_size, const mpc_ref** out_refs,
                             size_t* out_count) {
  return mpc::guarded([&]() -> mpc::Result<void> {
    mpc::Result<mpc::ProgramInput> input = mpc::program_input();
    if (!input) return input.error();
    if (out_argument != nullptr) *out_argument = input->argument.data();
    if (out_size != nullptr) *out_size = input->argument.size();
    if (out_refs != nullptr) *out_refs = reinterpret_cast<const mpc_ref*>(input->refs.data());
    if (out_count != nullptr) *out_count = input->refs.size() / sizeof(mpc_ref);
    return {};
  });
}

}  // extern "C"
