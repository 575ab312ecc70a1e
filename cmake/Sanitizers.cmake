# SPDX-License-Identifier: Apache-2.0
# Sanitizers when asked for, hardening otherwise: the program runs as root on other people's machines.
add_library(sf_hardening INTERFACE)
if(SF_SANITIZE)
  target_compile_options(sf_hardening INTERFACE
    -fsanitize=${SF_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(sf_hardening INTERFACE -fsanitize=${SF_SANITIZE})
  target_compile_definitions(sf_hardening INTERFACE _GLIBCXX_ASSERTIONS)
  if(SF_FUZZ)  # libFuzzer sees which branches an input takes
    target_compile_options(sf_hardening INTERFACE -fsanitize=fuzzer-no-link)
  endif()
else()
  target_compile_options(sf_hardening INTERFACE
    -fstack-protector-strong -fstack-clash-protection
    "$<$<CONFIG:Release,RelWithDebInfo>:-U_FORTIFY_SOURCE;-D_FORTIFY_SOURCE=2>")
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    target_compile_options(sf_hardening INTERFACE -fcf-protection)
  endif()
  target_compile_definitions(sf_hardening INTERFACE _GLIBCXX_ASSERTIONS)
  target_link_options(sf_hardening INTERFACE -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack)
endif()
