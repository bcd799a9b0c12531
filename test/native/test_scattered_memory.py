"""Code is linked wherever there is memory: nothing depends on free addresses that lie close to each other."""

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import numpy as np
import torch
from scattered_memory import scatter_free_memory
from wse_mlir.runtime.native.object_file import _sections
from wse_mlir.runtime.cpu.program import CpuExecutable
from wse_mlir.runtime.cpu import jit
import wse_mlir

torch.manual_seed(0)
table = torch.nn.Embedding(40, 16)
model = torch.nn.Sequential(table, torch.nn.Linear(16, 512), torch.nn.GELU(), torch.nn.LayerNorm(512)).eval()
x = torch.randint(0, 40, (64,))
expected = model(x).detach().numpy()
made = [
    wse_mlir.compile(model, (x,), cache=False, **options)._executable
    for options in ({}, {"debug": True}, {"num_threads": 2})
]
values = dict(model.named_parameters())
names = [a.name for a in made[0].program.function.interface.arguments if a.kind == "parameter"]
parameters = [values[name].detach().numpy() for name in names]
sizes = [{s.name: len(s.data) for s in _sections(e.program.code)} for e in made]
assert all(any(name.startswith(".rodata") for name in found) for found in sizes), "one section shows nothing"
jit._pool.cache_clear()
scatter_free_memory([found[".text"] + 64 for found in sizes])
for executable in made:
    (output,) = CpuExecutable(executable.program, parameters).run([x.numpy()])
    assert np.abs(output - expected).max() < 1e-4
print("computed")
"""


@pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="fills the address space as Linux hands it out"
)
def test_sections_of_an_object_lie_together() -> None:
    """RuntimeDyld put them into holes more than 2 GiB apart, and ended the process."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "computed\n", "")
