"""Options of matrix products: the algorithms of the library that can compute one, on a grid, at which cost."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from ...wse_target.image import DTYPE_BYTES
from ...wse_target.machine import Machine
from ..infra.diagnostics import PassFailure
from .contraction import Contraction, contraction_of, layout_of
from .layout_rules import ORDERS, Axes, Grid
from .library.algorithm import Choice, algorithms, choose
from .library.fragment import Held, Product, ProductRequest
from .nodes import Option, analyse, shape_of

_WORTH = 1.5  # an algorithm predicted to take this many times the best alternative's cycles is not looked at further


@dataclass
class ProductOptions:
    """What the library offers for products on one machine.

    Attributes:
        forced: `name{option=value ...}` that every product must use; "" leaves the choice to the cost model.
        orders: orders of blocks that some algorithm would have been of use in.
    """

    machine: Machine
    forced: str = ""
    orders: set[str] = field(default_factory=set)
    _built: dict[tuple[Any, ...], Product] = field(default_factory=dict)

    def options(self, op: Any, grid: Grid, best: float) -> list[Option]:
        """The library's options for an operation; none when it is no product.

        Args:
            best: cycles of the best way to compute it without the library.

        Raises:
            PassFailure: the forced algorithm is unknown, or cannot serve this product; says why.
        """
        found = contraction_of(analyse(op))
        if found is None:
            return []
        request = found.request(grid, self.machine, "product")
        offered = [self._option(op, found, c, request, grid, best) for c in self._choices(op, found, request)]
        return [option for option in offered if option is not None]

    def refusals(self, op: Any, grid: Grid) -> list[tuple[str, str]]:
        """The algorithms that cannot compute an operation on `grid`, with the reason; none for what is no product."""
        found = contraction_of(analyse(op)) if op.operation.name == "linalg.generic" else None
        if found is None:
            return []
        request = found.request(grid, self.machine, "product")
        reasons = [(a.name, Choice(a, dict(a.options)).refuses(request)) for a in algorithms(found.operation)]
        return [(name, reason) for name, reason in reasons if reason]

    def _choices(self, op: Any, found: Contraction, request: ProductRequest) -> Iterator[Choice]:
        if self.forced:
            choice = choose(found.operation, self.forced)
            refusal = choice.refuses(request)
            if refusal:
                raise PassFailure(op, f"algorithm '{choice}' cannot compute this product: {refusal}")
            yield choice
            return
        for algorithm in algorithms(found.operation):
            choice = Choice(algorithm, dict(algorithm.options))
            if not choice.refuses(request):
                yield choice

    def _option(
        self, op: Any, found: Contraction, choice: Choice, request: ProductRequest, grid: Grid, best: float
    ) -> Option | None:
        """None when the algorithm is too slow to matter, or keeps its tensors in another order of blocks."""
        cycles = choice.cycles(request)
        if not self.forced and cycles > _WORTH * best:
            return None
        product = self.build(choice, request)
        layouts = _layouts(op, found, product, grid)
        if layouts is None:
            others = [replace(grid, order=order) for order in ORDERS if order != grid.order]
            self.orders.update(o.order for o in others if _layouts(op, found, product, o) is not None)
            return None
        *needs, gives = layouts
        scratch = scratch_bytes(product)
        return Option((), (*needs, None), (gives,), cycles, scratch, algorithm=str(choice))

    def build(self, choice: Choice, request: ProductRequest) -> Product:
        """The product for a request, built once."""
        key = (str(choice), request.grid, request.m, request.k, request.n, request.batch, request.dtype,
               request.accumulate)  # fmt: skip
        if key not in self._built:
            self._built[key] = choice.build(request)
        return self._built[key]


def _layouts(op: Any, found: Contraction, product: Product, grid: Grid) -> list[Axes] | None:
    """The layout of each operand of the operation, or None when one has none on this grid."""
    layouts: dict[int, Axes] = {}
    for side, held in ((found.a, product.a), (found.b, product.b), (found.c, product.c)):
        axes = layout_of(held, side, shape_of(op.operands[side.operand]), grid)
        if axes is None:
            return None
        layouts[side.operand] = axes
    return [layouts[position] for position in sorted(layouts)]


def scratch_bytes(product: Product) -> int:
    """Bytes of SRAM that a product takes on a PE beside its operands and result as the program keeps them."""
    own: list[Held] = [product.a, product.b, product.c]
    tiles = [*product.fragment.scratch, *own]
    return sum(math.prod(tile.shape) * DTYPE_BYTES[tile.dtype] for tile in tiles)
