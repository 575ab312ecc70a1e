-- SPDX-License-Identifier: Apache-2.0
-- Slurm @version@ (@toolchain@), for Lmod. It finds its tree from its own place, so it works wherever the
-- tree is unpacked or moved: <tree>@place@/@version@-@toolchain@.lua
local tree = myFileName():gsub("@place_pattern@/[^/]+$", "")
local view = pathJoin(tree, "views", "@version@")

help([[Slurm @version@: commands and manual pages. The configuration is the machine's (/etc/slurm).]])
whatis("Name: slurm")
whatis("Version: @version@")
whatis("Description: Slurm workload manager")
family("slurm")

prepend_path("PATH", pathJoin(view, "bin"))
prepend_path("MANPATH", pathJoin(view, "share", "man"))
append_path("MANPATH", "", ":")
