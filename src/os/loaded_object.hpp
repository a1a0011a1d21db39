// SPDX-License-Identifier: Apache-2.0
// The ELF objects of this process and their files. Everything that walks them is here.
//
// Nothing allocates while the loader's lock is held: a malloc() of the program's that unwinds its
// stack takes the two the other way round.
#ifndef MPC_OS_LOADED_OBJECT_HPP
#define MPC_OS_LOADED_OBJECT_HPP

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mpc {

struct LoadedObject {
  std::string path;      // absolute wherever the system tells it
  std::string build_id;  // raw bytes; empty where it was linked without one
  uintptr_t base = 0;    // what its file's addresses are moved by
  bool is_program = false;
};

// The object with an executable segment that has this address; empty for generated code.
std::optional<LoadedObject> loaded_object_at(const void* address);

// As loaded_object_at(), for data as well as for code.
std::optional<LoadedObject> loaded_object_around(const void* address);

// The object in this process that has this build id, wherever its file is; one that was loaded
// from `path` is preferred. Empty for an empty build id.
std::optional<LoadedObject> loaded_object_with(const std::string& build_id,
                                               const std::string& path);

// The program itself. Empty where this library was loaded apart from it, by dlmopen().
std::optional<LoadedObject> loaded_program();

// The code at an offset of the program, where its build id is this one; else null. Allocates
// nothing and asks for no path.
const void* program_code_at(std::string_view build_id, uintptr_t offset);

// The bytes of NT_GNU_BUILD_ID of an ELF file of this machine's word size; empty where it has none
// or cannot be read. The file may be anything. Keeps errno.
std::string build_id_of_file(const char* path);

// The place in the program's GOT through which it calls `symbol`; null if it does not. The page may
// be read-only. For an ELF constructor: allocates nothing, and takes no lock but the loader's.
void** program_slot_of(const char* symbol);

// Whether the object that has `address` was loaded for the start of the program (because the
// program, or what it needs, was linked to it, or by LD_PRELOAD) and not by a dlopen() since: a
// fresh image of the program then has it too.
bool loaded_with_program(const void* address);

// Makes every dlclose() leave the object that has `address` where it is.
void keep_loaded(const void* address);

}  // namespace mpc

#endif
