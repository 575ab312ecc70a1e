# SPDX-License-Identifier: Apache-2.0
# Warnings as an interface target. They are errors only in our own checkout, so that a user's newer
# compiler with one new warning still builds the program.
add_library(sf_warnings INTERFACE)
target_compile_options(sf_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wnon-virtual-dtor
  -Wold-style-cast -Wcast-qual -Wformat=2 -Wimplicit-fallthrough -Woverloaded-virtual)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(sf_warnings INTERFACE -Wduplicated-cond -Wlogical-op -Wuseless-cast)
endif()
if(PROJECT_IS_TOP_LEVEL)
  target_compile_options(sf_warnings INTERFACE -Werror)
endif()
