# What a person types. Everything else (presets, tests, tools) is reachable from here.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup build demo test test-long format tidy headers clean

JOBS ?= $(shell nproc)

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## (.*)/  make \1@\2/' | column -t -s@

setup: ## Install what the build needs (Debian 12; nothing to do when all is there)
	@scripts/setup.sh

build: setup ## Build the release binary at build/release/spillway
	@cmake --preset release >/dev/null
	@cmake --build --preset release -j $(JOBS)

demo: build ## Set up, build and show what stands
	@scripts/demo.sh

test: build ## Set up, build and run the tests of the release build
	@scripts/test.sh release

test-long: build ## The same with the full counts (hours)
	@SPILLWAY_TEST_LONG=1 scripts/test.sh release

format: ## Format all C++ files with clang-format 14
	@scripts/setup.sh clang-format-14
	@git ls-files -z '*.h' '*.cc' | xargs -0 clang-format-14 -i

tidy: setup ## Run clang-tidy 14 over the tree; files that did not change are not read again
	@scripts/setup.sh clang-tidy-14
	@scripts/tidy.sh $(JOBS)

headers: setup ## Check that each header compiles on its own
	@cmake --preset dev >/dev/null
	@cmake --build --preset dev -j $(JOBS) --target all_verify_interface_header_sets

clean: ## Remove everything built
	rm -rf build
