"""Integers of one bit: signed operations of MLIR take a bit that is set for -1, on every target."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import wse_mlir

FIRST = torch.tensor([[True, True], [False, False]])
SECOND = torch.tensor([[True, False], [True, False]])
NUMBERS = torch.tensor([[1, 2], [-1, 0]], dtype=torch.int32)


def signed(x: torch.Tensor) -> torch.Tensor:
    return -x.to(torch.int8)


def of_signed(function: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> torch.Tensor:
    """The low bit of what a function makes of the bits as signed numbers."""
    return (function(signed(FIRST), signed(SECOND)) & 1).bool()


# Operations of two bits, of one bit, and of a number -> their results
CASES: dict[str, torch.Tensor] = {
    "arith.addi %x, %y : i1": of_signed(torch.add),
    "arith.subi %x, %y : i1": of_signed(torch.sub),
    "arith.muli %x, %y : i1": of_signed(torch.mul),
    "arith.maxsi %x, %y : i1": of_signed(torch.maximum),
    "arith.minsi %x, %y : i1": of_signed(torch.minimum),
    "arith.maxui %x, %y : i1": FIRST | SECOND,
    "arith.minui %x, %y : i1": FIRST & SECOND,
    "arith.cmpi slt, %x, %y : i1": signed(FIRST) < signed(SECOND),
    "arith.cmpi sge, %x, %y : i1": signed(FIRST) >= signed(SECOND),
    "arith.cmpi ult, %x, %y : i1": ~FIRST & SECOND,
    "arith.extsi %x : i1 to i8": signed(FIRST),
    "arith.extui %x : i1 to i8": FIRST.to(torch.int8),
    "arith.sitofp %x : i1 to f32": signed(FIRST).float(),
    "arith.uitofp %x : i1 to f32": FIRST.float(),
    "arith.trunci %n : i32 to i1": (NUMBERS & 1).bool(),
}
MAP = "affine_map<(i, j) -> (i, j)>"


def text() -> str:
    """A function with a result for each case."""
    elements = [
        case.rsplit(" to ", 1)[-1].rsplit(" : ", 1)[-1] if ".cmpi" not in case else "i1" for case in CASES
    ]
    kinds = [f"tensor<2x2x{element}>" for element in elements]
    lines = [
        f"func.func @main(%a: tensor<2x2xi1>, %b: tensor<2x2xi1>, %c: tensor<2x2xi32>) -> ({', '.join(kinds)}) {{"
    ]
    for n, (case, element, kind) in enumerate(zip(CASES, elements, kinds, strict=True)):
        lines += [
            f"%e{n} = tensor.empty() : {kind}",
            f"%r{n} = linalg.generic {{indexing_maps = [{', '.join([MAP] * 4)}],",
            '  iterator_types = ["parallel", "parallel"]}',
            f"  ins(%a, %b, %c : tensor<2x2xi1>, tensor<2x2xi1>, tensor<2x2xi32>) outs(%e{n} : {kind}) {{",
            f"^bb0(%x: i1, %y: i1, %n: i32, %o: {element}):",
            f"  %v = {case}",
            f"  linalg.yield %v : {element}",
            f"}} -> {kind}",
        ]
    results = ", ".join(f"%r{n}" for n in range(len(CASES)))
    return "\n".join([*lines, f"return {results} : {', '.join(kinds)}", "}"])


@pytest.mark.parametrize("target", ["cpu", "tiny"])
def test_signed_operations_of_bits(tmp_path: Path, target: str) -> None:
    path = tmp_path / "bits.mlir"
    path.write_text(text())
    results = wse_mlir.compile(str(path), target=target)(FIRST, SECOND, NUMBERS)
    for case, got, want in zip(CASES, results, CASES.values(), strict=True):
        assert torch.equal(got, want), case


def reduction(operation: str, element: str, start: str) -> str:
    """Lines of 16 elements combined with a number."""
    return f"""func.func @main(%a: tensor<4x16x{element}>) -> tensor<4x{element}> {{
  %c = arith.constant dense<{start}> : tensor<4x{element}>
  %r = linalg.generic {{indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>],
      iterator_types = ["parallel", "reduction"]}} ins(%a : tensor<4x16x{element}>) outs(%c : tensor<4x{element}>) {{
  ^bb0(%x: {element}, %o: {element}):
    %y = arith.{operation} %x, %o : {element}
    linalg.yield %y : {element}
  }} -> tensor<4x{element}>
  return %r : tensor<4x{element}>
}}"""


@pytest.mark.parametrize(
    ("operation", "start", "combine"),
    [
        ("maxsi", "false", torch.Tensor.all),
        ("minsi", "true", torch.Tensor.any),
        ("maxui", "true", torch.Tensor.any),
    ],
)
def test_extremes_of_bits(
    tmp_path: Path, operation: str, start: str, combine: Callable[..., torch.Tensor]
) -> None:
    """The number that they begin with counts as one more bit."""
    bits = torch.rand(4, 16) < torch.tensor([[0.0], [0.1], [0.9], [1.1]])
    path = tmp_path / "extremes.mlir"
    path.write_text(reduction(operation, "i1", start))
    got = wse_mlir.compile(str(path), target="tiny")(bits)
    whole = torch.cat([bits, torch.full((4, 1), start == "true")], dim=1)
    assert torch.equal(got, combine(whole, dim=1))


@pytest.mark.parametrize(("operation", "start", "least"), [("maxsi", -3, True), ("minsi", 4, False)])
def test_extremes_of_integers_begin_with_a_number(
    tmp_path: Path, operation: str, start: int, least: bool
) -> None:
    """They are split over PEs like sums that begin with one: each part begins with the type's end."""
    numbers = torch.randint(-9, 9, (4, 16), dtype=torch.int32)
    numbers[0] = -8 if least else 8
    path = tmp_path / "extremes.mlir"
    path.write_text(reduction(operation, "i32", str(start)))
    compiled = wse_mlir.compile(str(path), target="tiny", grid="4x1")
    extreme = numbers.amax(1).clamp(min=start) if least else numbers.amin(1).clamp(max=start)
    assert torch.equal(compiled(numbers), extreme)
