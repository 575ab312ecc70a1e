# SPDX-License-Identifier: Apache-2.0
# A room is one folder of src/: one static library sf_<room>, one namespace sf::<room>.
#
#   sf_room(<name> FLOOR <n> [USES <room>...] [LIBS <target>...])
#
# Walls: a room uses only rooms of lower floors. A use of the same or a higher floor, or of a room
# not declared earlier, fails here at configure time; an #include that the declaration does not
# cover fails in every build (check_walls.cmake), with file and line.

set_property(GLOBAL PROPERTY SF_ROOMS "")

function(sf_room name)
  cmake_parse_arguments(arg "" "FLOOR" "USES;LIBS" ${ARGN})
  if(NOT DEFINED arg_FLOOR OR arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "sf_room(${name}): wants FLOOR <n> [USES ...] [LIBS ...]")
  endif()
  foreach(used IN LISTS arg_USES)
    get_property(floor GLOBAL PROPERTY SF_FLOOR_${used})
    if(floor STREQUAL "")
      message(FATAL_ERROR "room '${name}' uses '${used}', which is not declared above it")
    endif()
    if(NOT floor LESS arg_FLOOR)
      message(FATAL_ERROR
        "room '${name}' (floor ${arg_FLOOR}) may not use '${used}' (floor ${floor}): "
        "a room uses rooms of lower floors only (docs/architecture.md)")
    endif()
  endforeach()

  set_property(GLOBAL PROPERTY SF_FLOOR_${name} ${arg_FLOOR})
  set_property(GLOBAL PROPERTY SF_USES_${name} "${arg_USES}")
  set_property(GLOBAL APPEND PROPERTY SF_ROOMS ${name})

  file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/${name}/*.cpp")
  file(GLOB_RECURSE headers CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/${name}/*.hpp")
  list(FILTER sources EXCLUDE REGEX "/main\\.cpp$")
  if(NOT sources)
    message(FATAL_ERROR "room '${name}' has no source file")
  endif()
  add_library(sf_${name} STATIC ${sources} ${headers})
  target_include_directories(sf_${name} PUBLIC "${CMAKE_CURRENT_SOURCE_DIR}")
  list(TRANSFORM arg_USES PREPEND sf_ OUTPUT_VARIABLE used_targets)
  target_link_libraries(sf_${name} PUBLIC ${used_targets} ${arg_LIBS} sf_hardening
                                   PRIVATE sf_warnings)
  set_property(GLOBAL APPEND PROPERTY SF_WALLED_FILES ${sources} ${headers})
endfunction()

# The build step that checks every #include; call once, after the last room.
function(sf_check_walls)
  get_property(rooms GLOBAL PROPERTY SF_ROOMS)
  get_property(files GLOBAL PROPERTY SF_WALLED_FILES)
  set(plan "")
  foreach(room IN LISTS rooms)
    get_property(uses GLOBAL PROPERTY SF_USES_${room})
    string(APPEND plan "set(uses_${room} ${room} ${uses})\n")
  endforeach()
  string(APPEND plan "set(rooms ${rooms})\n")
  file(GENERATE OUTPUT "${CMAKE_BINARY_DIR}/walls_plan.cmake" CONTENT "${plan}")
  set(stamp "${CMAKE_BINARY_DIR}/walls.stamp")
  add_custom_command(OUTPUT "${stamp}"
    COMMAND ${CMAKE_COMMAND} -DPLAN=${CMAKE_BINARY_DIR}/walls_plan.cmake
            -DROOT=${CMAKE_CURRENT_SOURCE_DIR} -DSTAMP=${stamp}
            -P ${PROJECT_SOURCE_DIR}/cmake/check_walls.cmake
    DEPENDS ${files} "${CMAKE_BINARY_DIR}/walls_plan.cmake"
            ${PROJECT_SOURCE_DIR}/cmake/check_walls.cmake
    COMMENT "Checking the walls between rooms" VERBATIM)
  add_custom_target(sf_walls ALL DEPENDS "${stamp}")
  foreach(room IN LISTS rooms)
    add_dependencies(sf_${room} sf_walls)
  endforeach()
endfunction()
