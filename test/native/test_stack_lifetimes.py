"""Small joins in stack memory, stored in any order and read as a whole."""

from itertools import permutations

import pytest
import torch

import wse_mlir
from wse_mlir.runtime.native.stack_lifetimes import mark_lifetimes
from wse_mlir.verify.isolation import isolated


class Joins(torch.nn.Module):
    """Rows of zeros and inputs side by side, one above the other, converted."""

    def forward(self, p: torch.Tensor, q: torch.Tensor) -> tuple[torch.Tensor, ...]:
        zeros = torch.zeros(1, 2)
        rows = [
            torch.cat([q[None], zeros], 1),
            torch.cat([zeros, p[None]], 1),
            torch.cat([p[None], q[None]], 1),
        ]
        return tuple(torch.cat([a.double(), b.double()], 0) for a, b in permutations(rows, 2))


class Blocks(torch.nn.Module):
    def forward(self, p: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
        return torch.block_diag(p.to(torch.uint8), q)


@pytest.mark.parametrize("model", [Joins(), Blocks()], ids=["joins", "blocks"])
def test_joins_compile(model: torch.nn.Module) -> None:
    arguments = torch.tensor([1.0, 2.0]), torch.tensor([3.0, -4.0])

    def work(_: object) -> bool:
        got, expected = wse_mlir.compile(model, arguments, cache=False)(*arguments), model(*arguments)
        pairs = zip(got, expected, strict=True) if isinstance(got, tuple) else [(got, expected)]
        return all(torch.equal(a, b) for a, b in pairs)

    outcome = isolated(work)  # what was wrong ended the process
    assert outcome.value is True, outcome


def test_marks() -> None:
    text = "define void @f() {\n  %1 = alloca i8, i64 4, align 64, !dbg !7\n  %x.y = alloca [4 x i64]\n  ret void\n}\n"
    marked = mark_lifetimes(text)
    assert "!dbg !7\n  call void @llvm.lifetime.start.p0(ptr %1)\n" in marked
    assert "  call void @llvm.lifetime.start.p0(ptr %x.y)\n" in marked
    assert marked.count("declare void @llvm.lifetime.start.p0(ptr)") == 1
    assert mark_lifetimes(marked).count("declare") == 1
    assert mark_lifetimes("; alloca\n") == "; alloca\n"
