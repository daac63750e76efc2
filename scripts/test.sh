#!/usr/bin/env bash
# Runs the tests of one preset's build and ends with the line "N passed, N failed".
#   scripts/test.sh PRESET [ctest options]
# SPILLWAY_TEST_LONG=1 runs the full counts and the tests labelled `long`.
set -uo pipefail
cd "$(dirname "$0")/.."
preset=$1
shift
build=build/$preset

# Tests of the default model need its file; they fail by name when this could not fetch it.
if [ "$preset" = release ] && "$build/spillway" models --help >/dev/null 2>&1; then
  "$build/spillway" models pull smollm2-135m || echo "spillway: no default model: the tests that need it will fail" >&2
  if [ "${SPILLWAY_TEST_LONG:-}" = 1 ]; then "$build/spillway" models pull gemma3-270m || echo "spillway: no gemma3-270m: not tested" >&2; fi
fi

# Two at a time where the tests allow it; those that start clusters of processes run alone (RUN_SERIAL).
options=(--preset "$preset" -j "${JOBS:-$(nproc)}" --output-junit "$PWD/$build/tests.xml")
options+=(--test-output-size-passed 1000000 --test-output-size-failed 1000000)
if [ "${SPILLWAY_TEST_LONG:-}" = 1 ]; then
  cmake --preset "$preset" -DSPILLWAY_TIMEOUT_SCALE=60 >/dev/null || exit 1
else
  cmake --preset "$preset" -DSPILLWAY_TIMEOUT_SCALE=1 >/dev/null || exit 1
  options+=(-LE '^long$')
fi
rm -f "$build/tests.xml"
ctest "${options[@]}" "$@"
status=$?
python3 scripts/test_summary.py "$build/tests.xml" || status=1
exit $status
