"""Options of matrix products: the algorithms of the library that can compute one, on a grid, at which cost."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from .....dialects.host import ir
from .....wse_target.instructions import DTYPE_BYTES
from .....wse_target.layout.mesh import Mesh
from .....wse_target.machine import Machine
from ....infra.diagnostics import PassFailure
from ...algorithms.algorithm import Choice, algorithms, choose
from ...algorithms.fragment import Product, ProductRequest
from ..contraction import Contraction, Placing, contraction_of, placing
from ..nodes import Option, analyse, shape_of

_WORTH = 1.5  # an algorithm predicted to take this many times the best alternative's cycles is not looked at further


@dataclass
class ProductOptions:
    """What the library offers for products on one machine.

    Attributes:
        forced: `name{option=value ...}` that every product must use; "" leaves the choice to the cost model.
        combining: whether operations that can be split over a reduction have to be, for a forced collective to combine.
    """

    machine: Machine
    forced: str = ""
    combining: bool = False
    _built: dict[tuple[Any, ...], Product] = field(default_factory=dict)

    def options(self, op: Any, mesh: Mesh, best: float) -> list[Option]:
        """The library's options for an operation; none when it is no product.

        Args:
            best: cycles of the best way to compute it without the library.

        Raises:
            PassFailure: the forced algorithm is unknown, or cannot serve this product; says why.
        """
        found = contraction_of(analyse(op))
        if found is None or mesh.names != ("x", "y"):  # whole axes are what the library's products lie along
            return []
        request = found.request(mesh, self.machine, "product")
        offered = [self._option(op, found, c, request, mesh, best) for c in self._choices(op, found, request)]
        return [option for option in offered if option is not None]

    def refusals(self, op: Any, mesh: Mesh) -> list[tuple[str, str]]:
        """The algorithms that cannot compute an operation on a mesh, with the reason; none for what is no product."""
        found = contraction_of(analyse(op)) if op.operation.name == "linalg.generic" else None
        if found is None:
            return []
        request = found.request(mesh, self.machine, "product")
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
        self, op: Any, found: Contraction, choice: Choice, request: ProductRequest, mesh: Mesh, best: float
    ) -> Option | None:
        """None when the algorithm is too slow to matter, or keeps its tensors where they cannot be brought."""
        cycles = choice.cycles(request)
        if not self.forced and cycles > _WORTH * best:
            return None
        product = self.build(choice, request)
        places = _places(op, found, product, mesh)
        brought = frozenset(k for k in (0, 1) if _comes_from_host(op, k))
        with_host = brought | ({2} if _goes_to_host(op) else frozenset())
        unreachable = any(p is None or not (p.in_order or k in with_host) for k, p in enumerate(places))
        if unreachable:
            if self.forced:
                raise PassFailure(
                    op,
                    f"algorithm '{choice}' keeps its tensors where no other operation can bring them",
                    hint="its operands have to be arguments that nothing else reads, its result one of the model's, "
                    "or choose another grid",
                )
            return None
        held = [p.layout for p in places if p is not None]
        return Option(
            None, (held[0], held[1], None), (held[2],), cycles, scratch_bytes(found, product, brought),
            algorithm=str(choice), brought=brought,
        )  # fmt: skip

    def build(self, choice: Choice, request: ProductRequest) -> Product:
        """The product for a request, built once."""
        key = (str(choice), request.grid, request.m, request.k, request.n, request.batch, request.dtype,
               request.accumulate)  # fmt: skip
        if key not in self._built:
            self._built[key] = choice.build(request)
        return self._built[key]


def _places(op: Any, found: Contraction, product: Product, mesh: Mesh) -> list[Placing | None]:
    """Where each operand of the operation is, the result's last."""
    held = {found.a.operand: product.a, found.b.operand: product.b, found.c.operand: product.c}
    sides = {side.operand: side for side in (found.a, found.b, found.c)}
    return [placing(held[k], sides[k], shape_of(op.operands[k]), mesh) for k in range(3)]


def _comes_from_host(op: Any, position: int) -> bool:
    """Whether an operand is an argument that nothing else reads."""
    value = op.operands[position]
    return isinstance(value.owner, ir.Block) and len(list(value.uses)) == 1


def _goes_to_host(op: Any) -> bool:
    """Whether nothing but the host reads the result."""
    return all(use.owner.operation.name == "func.return" for use in op.results[0].uses)


def scratch_bytes(found: Contraction, product: Product, brought: frozenset[int]) -> int:
    """Bytes of SRAM that a product takes on a PE beside its operands that are brought straight to it."""
    held = {found.a.operand: product.a, found.b.operand: product.b, found.c.operand: product.c}
    tiles = [*product.fragment.scratch, *(h for k, h in held.items() if k not in brought)]
    return sum(math.prod(tile.shape) * DTYPE_BYTES[tile.dtype] for tile in tiles)
