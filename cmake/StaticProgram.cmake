# SPDX-License-Identifier: Apache-2.0
# A program without any shared library, from rooms that need no look-up of users, hosts or locales.
#
#   sf_static_program(<name> <main.cpp> ROOMS <room>...)
#
# The rooms are the archives that the other programs link, so nothing is compiled twice. The linker
# warns of functions that need the machine's shared libraries at run time (getpwnam, getaddrinfo,
# dlopen): here a warning is an error. Sanitizers cannot be linked statically, so there is no such
# program in those builds.
function(sf_static_program name main)
  cmake_parse_arguments(arg "" "" "ROOMS" ${ARGN})
  if(SF_SANITIZE OR SF_FUZZ)
    return()
  endif()
  get_target_property(crypto OpenSSL::Crypto IMPORTED_LOCATION)
  get_filename_component(libraries "${crypto}" DIRECTORY)
  find_library(SF_CRYPTO_ARCHIVE NAMES libcrypto.a HINTS "${libraries}")
  if(NOT SF_CRYPTO_ARCHIVE)
    message(STATUS "${name} is not built, and bundles cannot be made: libcrypto.a is not on this machine")
    return()
  endif()
  add_executable(${name} ${main} "${PROJECT_SOURCE_DIR}/cmake/static_fmt.cpp")
  target_include_directories(${name} PRIVATE "${CMAKE_CURRENT_SOURCE_DIR}")
  # fmt is packaged as a shared library only; static_fmt.cpp makes the functions from its headers.
  target_link_libraries(${name} PRIVATE sf_warnings sf_hardening fmt::fmt-header-only tl::expected)
  set(archives "")
  foreach(room IN LISTS arg_ROOMS)
    list(APPEND archives $<TARGET_FILE:sf_${room}>)
    add_dependencies(${name} sf_${room})
    set_property(TARGET ${name} APPEND PROPERTY LINK_DEPENDS $<TARGET_FILE:sf_${room}>)
  endforeach()
  target_link_libraries(${name} PRIVATE
    -Wl,--start-group ${archives} -Wl,--end-group "${SF_CRYPTO_ARCHIVE}")
  target_link_options(${name} PRIVATE -static-pie -Wl,--fatal-warnings $<$<CONFIG:Release>:-s>)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}")
endfunction()
