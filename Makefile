# SPDX-License-Identifier: Apache-2.0
# One-word wishes; the work is in the CMake presets and in tools/.
.DEFAULT_GOAL := help
SHELL := /bin/sh
BOOTSTRAP := sh tools/bootstrap.sh

.PHONY: help build portable test long toolchains full asan tsan tidy format fuzz acceptance nightly bench clean

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

build: ## the program, in build/release
	@$(BOOTSTRAP) build
	@cmake --workflow --preset release

test: ## what every change must pass: lint, unit, golden, end to end
	@sh tools/test.sh

long: ## after make test: end-to-end tests too long for every change: killed, starved, compared builds
	@SF_FULL=1 sh tools/test.sh --label-regex full --label-exclude 'asan|tidy|toolchains' --fixture-exclude-any 'cheap|built'

toolchains: ## root and MUNGE of each other distribution, on a bare machine of it
	@SF_FULL=1 sh tools/test.sh --label-regex toolchains --fixture-exclude-any cheap

full: ## make test, and what takes longest: sanitizers, clang-tidy, killed, starved and compared builds
	@SF_FULL=1 sh tools/test.sh

asan: ## unit tests under AddressSanitizer and UndefinedBehaviorSanitizer
	@$(BOOTSTRAP) build test
	@. ./tools/ccache.sh && cmake --workflow --preset asan

tsan: ## unit tests under ThreadSanitizer
	@$(BOOTSTRAP) build test
	@. ./tools/ccache.sh && cmake --workflow --preset tsan

tidy: ## clang-tidy over src/
	@$(BOOTSTRAP) build test
	@sh tools/tidy.sh

format: ## lay the sources out with clang-format
	@$(BOOTSTRAP) test
	@git ls-files -z --cached --others --exclude-standard '*.cpp' '*.hpp' | xargs -0 -r clang-format -i

fuzz: ## the libFuzzer targets, each for a short while
	@$(BOOTSTRAP) build test fuzz
	@cmake --workflow --preset fuzz

portable: ## the program with its libraries as one archive, for other machines, in build/portable
	@sh tools/portable.sh

acceptance: ## a fresh clone, both README commands, docs/evidence/*.json
	@sh tools/acceptance.sh

nightly: ## what takes too long for every change
	@sh tools/nightly.sh

bench: ## the measures, written beside their baselines into bench/results/
	@sh bench/run.sh

clean: ## everything built here
	rm -rf build
