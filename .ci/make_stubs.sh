#!/usr/bin/env bash
# Makes type stubs of the MLIR bindings, which their wheel does not carry, for pyright.
set -euo pipefail
venv=$1
out="$venv/stubs/torch_mlir/_mlir_libs"
rm -rf "$venv/stubs"
mkdir -p "$out"
"$venv/bin/python" -m nanobind.stubgen -q -r -P -m torch_mlir._mlir_libs._mlir -O "$out"
