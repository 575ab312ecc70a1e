// SPDX-License-Identifier: Apache-2.0
// The functions of fmt that the rooms call from its shared library, made from its headers for
// programs without shared libraries. Compiled with FMT_HEADER_ONLY; taking an address emits the
// function.
#include <fmt/format.h>

#include <cstdio>

extern const void* const sf_static_fmt[];
const void* const sf_static_fmt[] = {
    reinterpret_cast<const void*>(
        static_cast<std::string (*)(fmt::string_view, fmt::format_args)>(&fmt::vformat)),
    reinterpret_cast<const void*>(
        static_cast<void (*)(std::FILE*, fmt::string_view, fmt::format_args)>(&fmt::vprint)),
    reinterpret_cast<const void*>(
        static_cast<void (*)(fmt::string_view, fmt::format_args)>(&fmt::vprint)),
};
