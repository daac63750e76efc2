#!/usr/bin/env bash
# Builds the simulator by clang++ and compares the bytes of its runs with the digests that were committed from a build by g++.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh clang
cmake --preset clang >/dev/null
cmake --build --preset clang -j "${JOBS:-$(nproc)}" --target sim_digest_test
build/clang/tests/sim/sim_digest_test --log_level=message
