#!/bin/sh
# Makes the reference logits of tests/model/reference anew with the pinned versions, in a virtual environment of its own, and
# compares them with the stored ones. Needs python3-venv, a package index and some gigabytes of disk for a while.
#
#   scripts/model_references.sh
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)/tests/model/reference
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --no-cache-dir --requirement "$here/requirements.txt"
"$work/venv/bin/python" "$here/make_references.py" --check --gguf "$work"
