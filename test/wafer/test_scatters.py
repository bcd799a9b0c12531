"""Elements written at indices that are data: numbers on several grids, the order of writes, states, and what bites."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from lowering import Function, compile_model, lower, simulated, wafer_errors
from torch import nn

import wse_mlir
from wse_mlir.runtime.wafer.image_builder import build_image
from wse_mlir.wse_target.image import PEClass, Program
from wse_mlir.wse_target.instructions import Instruction, Vector, all_instructions

X = torch.randn(7, 11, generator=torch.Generator().manual_seed(1))
V = torch.randn(4, 5, generator=torch.Generator().manual_seed(2))
PLACES = torch.tensor([[1, 6, 0, 3, 3], [6, 6, 2, 3, 0], [5, 1, 0, 3, 4], [0, 6, 5, 1, 1]])
ONCE = torch.tensor([5, 0, 3, 6])


def writes(
    x: torch.Tensor, v: torch.Tensor, at: torch.Tensor, once: torch.Tensor
) -> tuple[torch.Tensor, ...]:
    """Elements and rows, in order and added up; places that are hit several times, and negative ones."""
    rows, wide = at[0, :4], v[:, :1].expand(4, 11)
    return (
        x.scatter_add(0, at, v),
        x.scatter_add(1, at[:, :4], v[:, :4]),
        x.scatter_reduce(0, at, v, "amax"),
        x.scatter_reduce(1, at, v, "prod", include_self=False),
        x.index_add(0, rows, wide, alpha=0.5),
        x.index_copy(0, once, wide),
        x.index_copy(1, once, wide.reshape(11, 4)[:7]),
        x.index_fill(1, once, 2.5),
        x.index_put((once - 7,), wide),
        x.index_put((at[0], once[:1]), v[0], accumulate=True),
        x.put(at * 11 + 2, v, accumulate=True),
        (x > 0).index_put((once,), wide > 0),
        torch.zeros(9, dtype=torch.int64).index_add(0, at[1], at[2]),
    )


@pytest.mark.parametrize("grid", ["3x2", "2x5"])
def test_places_that_data_decides(grid: str) -> None:
    assert max(wafer_errors(Function(writes), (X, V, PLACES, ONCE), grid=grid)) <= 1e-3


def test_of_several_writes_to_a_place_the_last_one_stays() -> None:
    """As PyTorch has it on one thread, and as the loops say."""
    at = torch.tensor([2, 0, 2, 2, 0])
    model = Function(lambda x, at, v: (x.index_put((at,), v), x[:, 0].scatter(0, at, v[:, 1])))
    values = torch.arange(15.0).reshape(5, 3)
    for grid in ("1x1", "2x2"):
        rows, column = compile_model(model, (X[:4, :3], at, values), target="tiny", grid=grid)(
            X[:4, :3], at, values
        )
        assert torch.equal(rows[[0, 2]], values[[4, 3]]) and torch.equal(rows[[1, 3]], X[[1, 3], :3])
        assert column[0] == values[4, 1] and column[2] == values[3, 1]


def test_gradients_of_reads_are_writes() -> None:
    def unpooled(x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        y, places = F.max_pool1d(x[None], 1, return_indices=True)
        return F.max_unpool1d(y, places, 2), F.embedding_bag(x[:3, :4].abs().long(), x, mode="mean")

    assert max(wafer_errors(Function(unpooled), (X,), grid="3x2")) <= 1e-3


def test_a_place_out_of_range_is_told_as_on_the_cpu() -> None:
    model = Function(lambda x, at: x.index_fill(0, at, 1.0))
    compiled = compile_model(model, (X, ONCE), target="tiny", grid="2x2")
    with pytest.raises(wse_mlir.IndexOutOfRange, match=r"aten\.index_fill"):
        compiled(X, ONCE + 1)
    assert torch.equal(compiled(X, ONCE), model(X, ONCE))


class Cache(nn.Module):
    """Rows that stay on the device."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("rows", torch.zeros(6, 5))

    def forward(self, row: torch.Tensor, at: torch.Tensor) -> torch.Tensor:
        self.rows.index_copy_(0, at, row)
        return self.rows.sum(0)


def test_a_cache_is_written_where_it_is() -> None:
    model, expected = Cache(), Cache()
    at = torch.tensor([0])
    compiled = compile_model(model, (V[:1], at), target="tiny", grid="3x2")
    for step, place in enumerate((4, 1, 4, 0)):
        row = V[step : step + 1]
        want = expected(row, at * 0 + place)
        assert torch.allclose(compiled(row, at * 0 + place), want, rtol=1e-3, atol=1e-4)
    assert torch.equal(compiled.state["rows"], expected.rows)


def test_what_is_changed_in_places_is_not_copied() -> None:
    """A cache of one call to the next, and an argument that nothing else reads; a parameter stays as it is."""
    model = Function(lambda x, at, v: x.index_add(0, at, v))
    args = (X, PLACES[0], V[:1].expand(11, 5).T.contiguous())
    program = build_image(lower(model, args, "2x3", "plan-memory").module.operation)
    vectors = [op for of in program.classes for op in all_instructions(of.body) if isinstance(op, Vector)]
    written = [op for op in vectors if op.dst.indices]
    assert written and not [
        op for op in vectors if op.kind == "copy" and op.dst.buffer == written[0].dst.buffer
    ]

    class Kept(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rows = nn.Parameter(X)

        def forward(self, at: torch.Tensor) -> torch.Tensor:
            return self.rows.index_fill(0, at, 3.0)

    kept = Kept()
    compiled = compile_model(kept, (ONCE,), target="tiny", grid="2x2")
    for places in (ONCE, ONCE[:1].expand(4).contiguous()):
        assert torch.equal(compiled(places), kept(places))


class Grouped(nn.Module):
    """A cache of one group, which is read without the group's dimension."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("rows", torch.zeros(1, 6, 5))

    def forward(self, row: torch.Tensor, at: torch.Tensor) -> torch.Tensor:
        self.rows.index_copy_(1, at, row[None])
        return self.rows.view(6, 5) @ row[0]


def test_what_is_read_in_another_shape_is_changed_where_it_lies() -> None:
    program = build_image(lower(Grouped(), (V[:1], torch.tensor([0])), "2x3", "plan-memory").module.operation)
    vectors = [op for of in program.classes for op in all_instructions(of.body) if isinstance(op, Vector)]
    written = {op.dst.buffer for op in vectors if op.dst.indices}
    assert written and not [
        op for op in vectors if op.kind == "copy" and op.dst.buffer in written and not op.dst.indices
    ]
    model, expected, at = Grouped(), Grouped(), torch.tensor([0])
    compiled = compile_model(model, (V[:1], at), target="tiny", grid="2x3")
    for step, place in enumerate((4, 1, 4, 0)):
        row = V[step : step + 1]
        assert torch.allclose(compiled(row, at + place), expected(row, at + place), rtol=1e-3, atol=1e-4)
    assert torch.equal(compiled.state["rows"], expected.rows)


def everywhere(program: Program) -> Program:
    """The program, its writes no longer moved by numbers in memory."""

    def plain(op: Instruction) -> Instruction:
        return replace(op, dst=replace(op.dst, indices=())) if isinstance(op, Vector) else op

    def changed(of: PEClass) -> PEClass:
        return replace(of, body=tuple(map(plain, of.body)))

    return replace(program, classes=tuple(map(changed, program.classes)))


def test_both_engines_write_the_same_and_without_indices_all_is_wrong() -> None:
    model = Function(lambda x, at, v: (x * 2).index_add(0, at, v))
    args = (X, PLACES[0], V[:1].expand(11, 5).T.contiguous())
    imported = lower(model, args, "2x3", "plan-memory")
    expected = model(*args)
    flow, wavelet = (simulated(imported, args, engine=engine) for engine in ("flow", "wavelet"))
    assert (flow.outputs[0] == wavelet.outputs[0]).all()
    assert torch.allclose(torch.from_numpy(flow.outputs[0]), expected, rtol=1e-3, atol=1e-4)
    broken = simulated(imported, args, everywhere)
    assert not torch.allclose(torch.from_numpy(broken.outputs[0]), expected, rtol=0.1, atol=0.1)
