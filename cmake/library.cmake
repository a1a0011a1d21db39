# SPDX-License-Identifier: Apache-2.0
# How the library's sources are compiled and linked. Functions, so that a variant of the library
# (a model build, a build with a planted fault) is made in exactly the way of the one that ships.

# mpc_add_objects(TARGET SOURCE...): position-independent objects with nothing visible by default.
function(mpc_add_objects target)
  add_library(${target} OBJECT ${ARGN})
  target_include_directories(${target}
    PUBLIC ${PROJECT_SOURCE_DIR}/include ${PROJECT_BINARY_DIR}/include
    PRIVATE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/capi)
  # Headers alone: the compiled spdlog and fmt are libraries that the shipped one does not need.
  target_include_directories(${target} SYSTEM PRIVATE
    ${MPC_SPDLOG_INCLUDE_DIR} ${MPC_FMT_INCLUDE_DIR})
  target_compile_definitions(${target} PRIVATE
    _GNU_SOURCE FMT_HEADER_ONLY SPDLOG_HEADER_ONLY SPDLOG_FMT_EXTERNAL
    # Else fmt asks the locale, whose initializers would run in every program that is linked.
    "FMT_STATIC_THOUSANDS_SEPARATOR=','")
  target_link_libraries(${target} PRIVATE mpc_build_settings)
  # A unique symbol would pin the library in memory and be shared with other copies of libstdc++.
  target_compile_options(${target} PRIVATE
    -ffunction-sections -fdata-sections $<$<CXX_COMPILER_ID:GNU>:-fno-gnu-unique>)
  set_target_properties(${target} PROPERTIES
    POSITION_INDEPENDENT_CODE ON
    C_VISIBILITY_PRESET hidden
    CXX_VISIBILITY_PRESET hidden
    VISIBILITY_INLINES_HIDDEN ON
    CXX_STANDARD 20
    CXX_STANDARD_REQUIRED ON
    CXX_EXTENSIONS OFF)
endfunction()

# mpc_link_as_shipped(TARGET): only the map's names leave, and only libc is needed.
function(mpc_link_as_shipped target)
  set(map ${PROJECT_SOURCE_DIR}/cmake/libmpc.map)
  target_link_options(${target} PRIVATE
    LINKER:--version-script=${map}
    LINKER:--exclude-libs,ALL
    LINKER:--as-needed
    LINKER:--gc-sections
    LINKER:-Bsymbolic-functions
    # Threads and exit handlers run the library's code after a dlclose().
    LINKER:-z,nodelete
    LINKER:-z,relro
    # Each symbol that is bound at load time is work in every program that links the library, used
    # or not: bound now, they were half of what it costs.
    LINKER:-z,lazy
    LINKER:-z,pack-relative-relocs
    # Two mappings fewer at each start of a program; the loader's work counts there.
    LINKER:-z,noseparate-code
    # One page of code fewer at each exit: the C library's _fini does nothing, and stands at the end.
    LINKER:-fini=_init)
  if(NOT MPC_SANITIZE)
    # The sanitizers intercept the C++ runtime's functions, and clang leaves their own undefined.
    target_link_options(${target} PRIVATE
      -static-libstdc++ -static-libgcc LINKER:--no-undefined)
    if(NOT TARGET mpc_runtime_objects)
      mpc_add_objects(mpc_runtime_objects ${PROJECT_SOURCE_DIR}/src/base/cxx_runtime.cpp)
    endif()
    target_sources(${target} PRIVATE $<TARGET_OBJECTS:mpc_runtime_objects>)
  endif()
  target_link_libraries(${target} PRIVATE mpc_build_settings)
  set_target_properties(${target} PROPERTIES LINKER_LANGUAGE CXX)
  set_property(TARGET ${target} APPEND PROPERTY LINK_DEPENDS ${map})
endfunction()

# mpc_show_internals(TARGET): what includes and links this static library sees src/ as well.
function(mpc_show_internals target)
  target_include_directories(${target} PUBLIC
    ${PROJECT_SOURCE_DIR}/include ${PROJECT_BINARY_DIR}/include
    ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/capi)
  target_compile_definitions(${target} PUBLIC _GNU_SOURCE)
  target_compile_features(${target} PUBLIC cxx_std_20)
  target_link_libraries(${target} PUBLIC Threads::Threads ${CMAKE_DL_LIBS})
  set_target_properties(${target} PROPERTIES LINKER_LANGUAGE CXX)
endfunction()
