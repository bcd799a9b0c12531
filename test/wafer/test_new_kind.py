"""A new elementary operation of PEs is one entry of a table: bodies, checks, costs and kernels follow."""

import subprocess
import sys
from pathlib import Path

from wse_mlir.wse_target.kinds import KIND_OF

ENTRY = '"ones": Kind(1, lambda x: np.bitwise_count(x.view("uint32")).astype(x.dtype), ("math.ctpop",)),'
MODEL = """func.func @main(%a: tensor<4x6xi32>) -> tensor<4x6xi32> {
  %e = tensor.empty() : tensor<4x6xi32>
  %r = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>],
      iterator_types = ["parallel", "parallel"]} ins(%a : tensor<4x6xi32>) outs(%e : tensor<4x6xi32>) {
  ^bb0(%x: i32, %o: i32):
    %y = math.ctpop %x : i32
    linalg.yield %y : i32
  } -> tensor<4x6xi32>
  return %r : tensor<4x6xi32>
}
"""
# Runs the model with kernels for all groups of PEs, and with such as are compiled for one. The argument is an entry.
PROGRAM = """
import sys
from importlib.util import find_spec, module_from_spec

spec = find_spec("wse_mlir.wse_target.kinds")
source = open(spec.origin).read()
changed = source.replace('    "fma": ', f'    {sys.argv[1]}\\n    "fma": ')
assert source != changed
sys.modules[spec.name] = module = module_from_spec(spec)
exec(compile(changed, spec.origin, "exec"), module.__dict__)

import torch
import wse_mlir
from wse_mlir.runtime.wafer.pe_kernels import NativeKernels

numbers = torch.arange(-12, 12, dtype=torch.int32).reshape(4, 6)
expected = torch.tensor([[bin(x & 0xFFFFFFFF).count("1") for x in row] for row in numbers.tolist()])
for break_even in (1 << 60, 0):
    NativeKernels.__init__.__defaults__ = (break_even,)
    assert torch.equal(wse_mlir.compile("model.mlir", target="tiny", grid="2x2")(numbers).long(), expected)
"""


def test_an_entry_makes_an_operation(tmp_path: Path) -> None:
    """In a process of its own, where the table has it before anything else reads the table."""
    assert "math.ctpop" not in KIND_OF
    (tmp_path / "model.mlir").write_text(MODEL)
    command = [sys.executable, "-c", PROGRAM, ENTRY]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
