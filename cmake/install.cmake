# SPDX-License-Identifier: Apache-2.0
# Two components: runtime is what a program needs to run, development what it needs to be built.
include(CMakePackageConfigHelpers)

set(MPC_PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/mpc)

install(TARGETS mpc EXPORT mpc-targets
  LIBRARY
    DESTINATION ${CMAKE_INSTALL_LIBDIR}
    COMPONENT runtime
    NAMELINK_COMPONENT development
  FILE_SET HEADERS
    DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
    COMPONENT development)

install(TARGETS mpc_worker RUNTIME
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/libmpc
  COMPONENT runtime)

install(EXPORT mpc-targets NAMESPACE mpc:: DESTINATION ${MPC_PACKAGE_DIR} COMPONENT development)
configure_package_config_file(cmake/mpc-config.cmake.in mpc-config.cmake
  INSTALL_DESTINATION ${MPC_PACKAGE_DIR}
  NO_CHECK_REQUIRED_COMPONENTS_MACRO)
# Before 1.0 a minor release may change the ABI.
write_basic_package_version_file(mpc-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES
  ${PROJECT_BINARY_DIR}/mpc-config.cmake
  ${PROJECT_BINARY_DIR}/mpc-config-version.cmake
  DESTINATION ${MPC_PACKAGE_DIR} COMPONENT development)

# An absolute directory stays itself; a relative one moves with the prefix, which is told from the
# place of mpc.pc itself where that moves too: `cmake --install --prefix` needs no new build then.
if(IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}")
  set(mpc_pc_prefix "${CMAKE_INSTALL_PREFIX}")
else()
  file(RELATIVE_PATH mpc_pc_up "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
  cmake_path(APPEND mpc_pc_prefix "\${pcfiledir}" "${mpc_pc_up}")
  string(REGEX REPLACE "/$" "" mpc_pc_prefix "${mpc_pc_prefix}")
endif()
cmake_path(APPEND mpc_pc_libdir "\${prefix}" "${CMAKE_INSTALL_LIBDIR}")
cmake_path(APPEND mpc_pc_includedir "\${prefix}" "${CMAKE_INSTALL_INCLUDEDIR}")
# What pkg-config reads, it takes apart at spaces.
foreach(directory prefix libdir includedir)
  string(REPLACE " " "\\ " mpc_pc_${directory} "${mpc_pc_${directory}}")
endforeach()
configure_file(mpc.pc.in mpc.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/mpc.pc
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT development)
