# SPDX-License-Identifier: Apache-2.0
# Checks each #include "room/file.hpp" in src/ against the uses declared in src/CMakeLists.txt.
# Run by the build: cmake -DPLAN=… -DROOT=… -DSTAMP=… -P check_walls.cmake
# grep does the reading: CMake's own file(STRINGS) drops empty lines, and with them line numbers.
cmake_minimum_required(VERSION 3.25)
include("${PLAN}")
set(broken "")
foreach(room IN LISTS rooms)
  execute_process(
    COMMAND grep -rnE --include=*.cpp --include=*.hpp "^[[:space:]]*#[[:space:]]*include[[:space:]]*\"" "${ROOT}/${room}"
    OUTPUT_VARIABLE found RESULT_VARIABLE rc ERROR_VARIABLE trouble)
  if(rc GREATER 1)
    message(FATAL_ERROR "reading the includes of room '${room}' failed: ${trouble}")
  endif()
  string(REPLACE ";" "," found "${found}")
  string(REPLACE "\n" ";" found "${found}")
  foreach(line IN LISTS found)
    if(NOT line MATCHES "^([^:]*:[0-9]+):[^\"]*\"([^\"]*)\"")
      continue()
    endif()
    set(where "${CMAKE_MATCH_1}")
    set(target "${CMAKE_MATCH_2}")
    if(target MATCHES "^\\.\\.?/" OR NOT target MATCHES "/")
      string(APPEND broken "${where}: relative include \"${target}\"; write \"room/file.hpp\"\n")
      continue()
    endif()
    string(REGEX REPLACE "/.*" "" used "${target}")
    if(NOT used IN_LIST uses_${room})
      string(APPEND broken
        "${where}: room '${room}' includes \"${target}\" but does not declare its use of '${used}' in src/CMakeLists.txt\n")
    endif()
  endforeach()
endforeach()
if(broken)
  message(FATAL_ERROR "walls between rooms are broken:\n${broken}")
endif()
file(TOUCH "${STAMP}")
