# SPDX-License-Identifier: Apache-2.0
# Settings for every target of this tree that no user of the library should inherit.

add_library(mpc_build_settings INTERFACE)
target_compile_features(mpc_build_settings INTERFACE c_std_99 cxx_std_20)
target_compile_options(mpc_build_settings INTERFACE -Wall -Wextra)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # GCC's bug 105651: false alarms where std::string is added up.
  target_compile_options(mpc_build_settings INTERFACE -Wno-restrict)
endif()
if(MPC_DEVELOPER)
  target_compile_options(mpc_build_settings INTERFACE -Werror)
endif()

# For the directory rather than for a target: a program with some objects instrumented and others
# not gives false alarms.
if(MPC_SANITIZE)
  list(JOIN MPC_SANITIZE "," mpc_sanitizers)
  add_compile_options(-fsanitize=${mpc_sanitizers} -fno-omit-frame-pointer -g)
  add_link_options(-fsanitize=${mpc_sanitizers})
  if("undefined" IN_LIST MPC_SANITIZE)
    add_compile_options(-fno-sanitize-recover=undefined)
  endif()
  if("thread" IN_LIST MPC_SANITIZE AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # It sees no fences. That may give a false alarm, but hides no race.
    add_compile_options(-Wno-tsan)
  endif()
endif()
