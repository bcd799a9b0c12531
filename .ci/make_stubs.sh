#!/usr/bin/env bash
# Makes type stubs of the MLIR bindings, which their wheel does not carry, for pyright.
set -euo pipefail
venv=$1
out="$venv/stubs/torch_mlir/_mlir_libs"
rm -rf "$venv/stubs"
mkdir -p "$out"
"$venv/bin/python" -m nanobind.stubgen -q -r -P -m torch_mlir._mlir_libs._mlir -O "$out"
"$venv/bin/python" -m nanobind.stubgen -q -P -m torch_mlir._mlir_libs._stablehlo -O "$out"
# What Python code imports are thin modules over the native ones; pyright sees through them only when
# they lie beside the stubs.
packages=$("$venv/bin/python" -c 'import torch_mlir; print(list(torch_mlir.__path__)[0])')
for module in "$packages"/*.py; do
    cp "$module" "$venv/stubs/torch_mlir/$(basename "$module")i"
done
