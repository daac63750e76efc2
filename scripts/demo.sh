#!/usr/bin/env bash
# Shows what stands today. Called by `make demo` after the build.
set -euo pipefail
cd "$(dirname "$0")/.."
spillway=build/release/spillway
if [ -x build/release/spillway-demo ]; then exec build/release/spillway-demo "$@"; fi
if [ -x "$spillway" ]; then
  "$spillway" version
  "$spillway" --help
else
  echo "The program is not there yet: what stands are the libraries, which 'make test' tries."
fi
