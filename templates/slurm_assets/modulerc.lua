-- SPDX-License-Identifier: Apache-2.0
-- What "slurm" and "slurm/@series@" mean: the version installed last. <tree>@place@/.modulerc.lua is a link here.
module_version("slurm/@version@-@toolchain@", "default")
module_version("slurm/@version@-@toolchain@", "@series@")
