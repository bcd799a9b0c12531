"""Elements read at indices that are data: numbers on several grids, the errors of bad indices, and what bites."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from lowering import Function, compile_model, lower, simulated, wafer_errors
from torch import nn

import wse_mlir
from wse_mlir.wse_target.image import PEClass, Program
from wse_mlir.wse_target.instructions import Access, Instruction, Vector


def draw(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(len(shape)))


def ids(high: int, *shape: int) -> torch.Tensor:
    return torch.randint(high, shape, generator=torch.Generator().manual_seed(high))


X, ROWS, COLUMNS = draw(7, 11), ids(7, 3, 5), ids(11, 7, 3)


def reads(x: torch.Tensor, rows: torch.Tensor, columns: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Tables whole, along one of their dimensions, along all of them; read by loops of any order."""
    return (
        F.embedding(rows, x),
        x.index_select(1, columns[:, 0]),
        torch.gather(x, 1, columns),
        torch.gather(x, 0, rows),
        torch.take(x, rows * columns[0, 2] - 77),
        x[rows[:, :3], columns[:3]].exp() + 1,
        torch.take_along_dim(x, x.argmax(1, keepdim=True), 1),
        x[rows].sum(1),
        (x > 0)[rows[0], 1:4],
        ((x > 0) ^ (x > 0))[rows[0]],  # a table that is nowhere: its elements are all one number
        F.nll_loss(x, columns[:, 1]),
        F.cross_entropy(x, columns[:, 0], reduction="none", label_smoothing=0.1),
    )


def positions(x: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Elements whose places loops determine."""
    y = x[None, None]
    return (
        x.diagonal(1),
        x.trace(),
        F.pad(x[None], (2, 1), mode="reflect"),
        F.pad(x[None], (0, 3), mode="replicate"),
        F.adaptive_max_pool1d(x, 3),
        F.adaptive_avg_pool2d(y, (3, 4)),
        torch.linalg.cross(x[:, :3], x[:, 3:6]),
    )


@pytest.mark.parametrize("grid", ["3x2", "2x5"])
def test_places_that_data_decides(grid: str) -> None:
    assert max(wafer_errors(Function(reads), (X, ROWS, COLUMNS), grid=grid)) <= 1e-3


@pytest.mark.parametrize("grid", ["4x1", "3x3"])
def test_places_that_loops_decide(grid: str) -> None:
    assert max(wafer_errors(Function(positions), (X,), grid=grid)) <= 1e-3


def test_narrow_types_and_searches() -> None:
    def search(x: torch.Tensor, borders: torch.Tensor, half: torch.Tensor) -> tuple[torch.Tensor, ...]:
        ordered = (x.kthvalue(3, 1), x.median(0), x.quantile(0.3, 1))
        return torch.bucketize(x, borders), *(v for found in ordered for v in found), half[ROWS], half.trace()

    borders = torch.linspace(-1, 1, 5)
    assert max(wafer_errors(Function(search), (X, borders, X.half()), grid="3x2")) <= 1e-2


def test_an_index_out_of_range_is_told_as_on_the_cpu() -> None:
    model = Function(lambda x, i: F.embedding(i, x))
    compiled = compile_model(model, (X, ROWS), target="tiny", grid="2x2")
    for bad in (7, -1, 1 << 40):
        wrong = ROWS.clone()
        wrong[1, 2] = bad
        with pytest.raises(wse_mlir.IndexOutOfRange, match=rf"aten\.embedding.*{bad}"):
            compiled(X, wrong)
    assert torch.equal(compiled(X, ROWS), model(X, ROWS))


class Embedded(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(9, 5)
        self.linear = nn.Linear(5, 3)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return self.linear(self.table(rows))


def without_indices(program: Program) -> Program:
    """The program, its vector operations no longer moved by numbers in memory."""

    def plain(op: Instruction) -> Instruction:
        if not isinstance(op, Vector):
            return op
        sources = tuple(replace(s, indices=()) if isinstance(s, Access) else s for s in op.srcs)
        return replace(op, srcs=sources, dst=replace(op.dst, indices=()))

    def changed(of: PEClass) -> PEClass:
        return replace(of, body=tuple(map(plain, of.body)))

    return replace(program, classes=tuple(map(changed, program.classes)))


def test_both_engines_read_the_same_and_without_indices_all_is_wrong() -> None:
    torch.manual_seed(3)
    model = Embedded().eval()
    imported = lower(model, (ROWS,), "2x3", "plan-memory")
    with torch.no_grad():
        expected = model(ROWS)
    flow, wavelet = (simulated(imported, (ROWS,), engine=engine) for engine in ("flow", "wavelet"))
    assert (flow.outputs[0] == wavelet.outputs[0]).all()
    assert torch.allclose(torch.from_numpy(flow.outputs[0]), expected, rtol=1e-3, atol=1e-4)
    broken = simulated(imported, (ROWS,), without_indices)
    assert not torch.allclose(torch.from_numpy(broken.outputs[0]), expected, rtol=0.1, atol=0.1)


def test_a_table_that_no_pe_can_hold_is_shared() -> None:
    """Rows are split over one axis and columns over the other; sums of one element and nothing are exact."""
    table = draw(7001, 16)
    rows = ids(7001, 3, 5)
    rows[0, 0], rows[2, 4] = 0, 7000
    table[rows[1, 1]] = torch.tensor([float("inf"), -float("inf"), float("nan"), -0.0] * 4)
    model = Function(lambda x, i: (F.embedding(i, x), x.half()[i[0]], (x > 0)[i[1]]))
    results = compile_model(model, (table, rows), target="tiny", grid="8x8")(table, rows)
    for got, want in zip(results, model(table, rows), strict=True):
        assert torch.equal(got.isnan(), want.isnan())
        assert torch.equal(torch.signbit(got)[~got.isnan()], torch.signbit(want)[~want.isnan()])
        assert torch.equal(got.nan_to_num(), want.nan_to_num())
