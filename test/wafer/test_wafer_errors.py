"""What cannot run on the wafer gets one message with the layer, the line and a remedy."""

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import pytest
import torch
from lowering import Function
from torch import nn

from wse_mlir.compiler.compile import compile as compile_model
from wse_mlir.passes.infra.diagnostics import CompilerError
from wse_mlir.passes.wafer.memory.text_bytes import CODE_BYTES
from wse_mlir.runtime.wafer import target as wafer


class Net(nn.Module):
    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x)


def message(model: nn.Module, *args: torch.Tensor, **options: str) -> str:
    with pytest.raises(CompilerError) as caught:
        compile_model(model.eval(), args, target="tiny", **options)
    return str(caught.value)


def test_a_refusal_names_the_layer_and_its_line() -> None:
    text = message(Net(Function(torch.sum)), torch.zeros(0, 8))
    assert text.startswith("layer (lowering.py:") and "target='cpu'" in text


def test_an_operation_that_pes_lack(tmp_path: Path) -> None:
    path = tmp_path / "bits.mlir"
    path.write_text(
        "func.func @main(%x: tensor<4xi32>) -> tensor<4xi32> {\n  %y = math.ctpop %x : tensor<4xi32>\n"
        "  return %y : tensor<4xi32>\n}\n"
    )
    with pytest.raises(CompilerError) as caught:
        compile_model(path, (torch.zeros(4, dtype=torch.int32),), target="tiny")
    assert "math.ctpop" in str(caught.value) and "cpu" in str(caught.value)


@pytest.mark.parametrize("operation", [torch.sum, torch.prod, lambda x: x.T @ x])
def test_what_is_computed_from_no_elements(operation: Callable[[torch.Tensor], torch.Tensor]) -> None:
    text = message(Function(operation), torch.zeros(0, 5))
    assert "aten." in text and "a tensor without elements cannot be spread" in text and "cpu" in text


def test_numbers_that_nobody_wrote_can_be_returned() -> None:
    def functions(x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return torch.empty_like(x), torch.empty(3, 4).reshape(12), torch.empty(3, 4)[1:], x + 1

    x = torch.ones(5, 7)
    results = compile_model(Function(functions), (x,), target="tiny", grid="3x2")(x)
    assert [tuple(y.shape) for y in results] == [(5, 7), (12,), (2, 4), (5, 7)]
    assert torch.equal(results[3], x + 1)


def test_an_empty_result_needs_no_pe() -> None:
    inputs = (torch.zeros(0, 5), torch.ones(3, 5))
    compiled = compile_model(Function(lambda a, b: (a + 1, b + 1, b @ a.T)), inputs, target="tiny")
    assert [tuple(y.shape) for y in compiled(*inputs)] == [(0, 5), (3, 5), (3, 0)]
    assert torch.equal(compiled(*inputs)[1], inputs[1] + 1)


def test_an_empty_piece_of_a_concatenation_is_fine() -> None:
    pieces = (torch.zeros(0, 5), torch.ones(3, 5))
    compiled = compile_model(Function(lambda a, b: torch.cat([a, b])), pieces, target="tiny")
    assert torch.equal(compiled(*pieces), pieces[1])


def test_what_does_not_fit_is_an_inequality_with_its_terms() -> None:
    text = message(Net(nn.Linear(2048, 2048)), torch.zeros(1, 2048))
    assert "(parameters) + " in text and "(activations and temporaries)" in text and " > " in text
    assert "more PEs" in text


def test_a_grid_that_the_machine_does_not_have() -> None:
    assert "8x8 PEs" in message(Net(nn.Linear(4, 4)), torch.zeros(1, 4), grid="9x1")


def test_a_malformed_origin() -> None:
    assert "origin" in message(Net(nn.Linear(4, 4)), torch.zeros(1, 4), grid="2x2", origin="7,7")


def test_numbers_that_nobody_wrote_can_be_read() -> None:
    def powers(x: torch.Tensor) -> torch.Tensor:  # which chooses between ones and elements of an empty tensor
        return torch.vander(x[0])

    x = torch.randn(2, 6)
    torch.testing.assert_close(compile_model(Function(powers), (x,), target="tiny", grid="2x1")(x), powers(x))


def test_a_tight_fit_is_found_by_spreading_over_more_pes() -> None:
    # 1.2 MB of weights: 20 KB on each of 64 PEs, far too much for a few of them
    torch.manual_seed(0)
    model, x = Net(nn.Linear(512, 600)), torch.randn(1, 512)
    compiled = compile_model(model, (x,), target="tiny")
    with torch.no_grad():
        torch.testing.assert_close(compiled(x), model(x), rtol=1e-3, atol=1e-3)
    assert compiled.report["pes"] == 64


def test_plans_are_made_again_when_the_program_text_needs_more(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []
    text_for = wafer.pipeline_text

    def remember(machine: str, options: dict[str, str], sram_share: int, **rest: bool) -> str:
        tried.append(sram_share)
        return text_for(machine, options, sram_share, **rest)

    monkeypatch.setattr(wafer, "pipeline_text", remember)
    monkeypatch.setitem(CODE_BYTES, "wse.vector", 30_000)
    text = message(Net(nn.Linear(8, 8)), torch.zeros(1, 8), programs=1)
    assert len(tried) > 1 and tried == sorted(set(tried), reverse=True)
    assert "(code)" in text and " > 45056 B" in text and "programs" in text


def test_a_machine_file_with_a_space_in_its_path(tmp_path: Path) -> None:
    source = Path(str(files("wse_mlir.wse_target.machines") / "tiny.toml")).read_text()
    path = tmp_path / "my machine.toml"
    path.write_text(source.replace('name = "tiny"', 'name = "mine"'))
    torch.manual_seed(0)
    model, x = nn.Linear(6, 5), torch.randn(3, 6)
    compiled = compile_model(model, (x,), target=str(path))
    with torch.no_grad():
        torch.testing.assert_close(compiled(x), model(x), rtol=1e-4, atol=1e-4)
    assert compiled.report["machine"] == "mine"
