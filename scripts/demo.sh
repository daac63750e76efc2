#!/usr/bin/env bash
# The demo. Called by `make demo` after the build.
set -euo pipefail
cd "$(dirname "$0")/.."
build/release/spillway models pull smollm2-135m
exec build/release/spillway-demo build/release/spillway cluster-config/examples/three-nodes.toml
