"""Numbers that are read from tensors between operations, and what is computed of them, on several grids."""

import pytest
import torch
from lowering import Function, wafer_errors


def draw(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(len(shape)))


def numbers(x: torch.Tensor, i: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Of an input and of what was computed; several in one operation, one in several, and one that fills."""
    a, b = i.item(), (x > 0).sum().item()
    return (
        x * (a + 1),
        torch.where(x > 0, x * a, x - a * b),
        torch.full((5, 3), a * 2 - 1),
        x.sum(1) + (a > 2),
        torch.arange(7) + a,
    )


@pytest.mark.parametrize("grid", ["1x1", "3x2"])
@pytest.mark.parametrize("value", [3, -2])
def test_numbers_are_tensors_of_no_dimensions(grid: str, value: int) -> None:
    given = (draw(7, 11), torch.tensor(value))
    assert max(wafer_errors(Function(numbers), given, grid=grid)) <= 1e-5


def test_the_opposite_of_a_comparison_is_a_result() -> None:
    """`not (x < y)`, which NaN fulfils, is no comparison that PEs know: its negation comes after it."""

    def opposite(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return ~(x < y)

    x, y = draw(5, 3), draw(5, 3).flip(0)
    x[2, 1] = torch.nan
    assert wafer_errors(Function(opposite), (x, y), grid="2x2") == [0]
