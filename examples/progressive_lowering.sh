#!/usr/bin/env bash
# Lowers a matrix product from linalg to the llvm dialect and prints the IR after each stage.
#
#   examples/progressive_lowering.sh [FILE.mlir]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "${1:-$here/tiled_matmul.mlir}" "$work/ir.mlir"

stage() { # title, pipeline: lowers the IR in place and prints it
  wse-opt "$work/ir.mlir" --pass-pipeline="builtin.module($2)" -o "$work/next.mlir"
  mv "$work/next.mlir" "$work/ir.mlir"
  printf '\n// ===== %s: %s =====\n' "$1" "$2"
  cat "$work/ir.mlir"
}

printf '// ===== linalg on tensors =====\n'
cat "$work/ir.mlir"
stage "tiled"      "wse-generalize,wse-tile{sizes=16,16,32},canonicalize,cse"
stage "bufferized" "wse-bufferize,canonicalize,cse"
stage "loops"      "convert-linalg-to-loops,expand-strided-metadata,lower-affine,canonicalize"
stage "branches"   "convert-scf-to-cf"
stage "llvm"       "finalize-memref-to-llvm,convert-arith-to-llvm,convert-func-to-llvm,convert-cf-to-llvm,convert-index-to-llvm,reconcile-unrealized-casts"
