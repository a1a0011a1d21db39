# SPDX-License-Identifier: Apache-2.0
# Runs the harness over a library with a planted fault. It has to say what it caught, and exit with
# 1: a crash or a time-out proves nothing.
set(ENV{LD_LIBRARY_PATH} ${FOLDER})
execute_process(COMMAND ${HARNESS} ${OPERATION}
  RESULT_VARIABLE code OUTPUT_VARIABLE output ERROR_VARIABLE output)
message("${output}")
if(NOT code STREQUAL "1")
  message(FATAL_ERROR "the harness ended with ${code} over a library with a fault, not with 1")
endif()
if(NOT output MATCHES "(^|\n)caught: ")
  message(FATAL_ERROR "the harness does not say what it caught")
endif()
