"""What a run finds wrong with its data is a status of a library, and a message of an executable."""

from pathlib import Path

import numpy as np
import torch
from library_programs import PROGRAMS, compile_program, run_alone
from torch import nn
from typer.testing import CliRunner

from wse_mlir.artifacts.aot.library import LibraryFunction, build_library
from wse_mlir.frontend.imported import import_model
from wse_mlir.tools.wse import app


class Embed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(10, 4)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.table(ids)


class Index(Embed):
    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.table.weight[ids]


class Divide(nn.Module):
    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return (7 // ids)[:, None].float().expand(3, 4)


def test_indices_out_of_range_are_a_status_with_one_sentence(tmp_path: Path) -> None:
    ids = torch.tensor([1, 2, 3])
    size = torch.export.Dim("n")
    functions = [
        LibraryFunction("embed", import_model(Embed(), (ids,))),
        LibraryFunction("index", import_model(Index(), (ids,))),
        LibraryFunction("open", import_model(Embed(), (ids,), dynamic_shapes=({0: size},))),
        LibraryFunction("divide", import_model(Divide(), (ids,))),
    ]
    library = build_library(functions, tmp_path / "librows.so", options={"num_threads": 2})
    program = compile_program(PROGRAMS / "checks.c", library.path, tmp_path / "checks")
    done = run_alone([program], tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_executables_say_which_index_it_was(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(
        "import torch\nfrom torch import nn\n\n\ndef load():\n"
        "    return nn.Embedding(10, 4), (torch.tensor([1, 2, 3]),)\n"
    )
    program = tmp_path / "net"
    made = CliRunner().invoke(
        app, ["compile", str(tmp_path / "net.py"), "-o", str(program), "--emit", "executable"]
    )
    assert made.exit_code == 0, made.output
    np.save(tmp_path / "bad.npy", np.array([1, 12, 3]))
    done = run_alone([program, "bad.npy", "out.npy"], tmp_path)
    assert done.returncode == 1 and not (tmp_path / "out.npy").exists()
    assert "index 12 is out of range for dimension 0 of size 10, which takes 0 to 9" in done.stderr
