-- SPDX-License-Identifier: Apache-2.0
-- The compiler of @title@, for Lmod: it is in PATH already, and nothing of it is in this tree. Loading it
-- shows what was built with it. It finds its tree from its own place: <tree>/lmod/Core/gcc/@compiler@.lua
local tree = myFileName():gsub("/lmod/Core/gcc/[^/]+$", "")

help([[gcc @compiler@, the compiler of @title@. Load it to see the modules that were built with it.]])
whatis("Name: gcc")
whatis("Version: @compiler@")
whatis("Description: the distribution's own compiler (@title@)")
family("compiler")

prepend_path("MODULEPATH", pathJoin(tree, "lmod", "gcc", "@compiler@"))
