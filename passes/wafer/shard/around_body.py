"""What PEs do around the operations of a body: where results start, numbers of iterations, loops step by step."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from ....dialects.structured import Structured, element_type
from ....wse_target.layout.tensor_layout import TensorLayout
from ..scalars.body import dtype_name
from ..scalars.splat import splat_of
from ..scalars.values import IteratorValue, ScalarBody
from .cost import CostModel
from .in_place import may_change
from .scatters import SCATTERS, written_indices


@dataclass(frozen=True)
class AroundBody:
    """What is the same however an operation is split.

    Attributes:
        starts: results that begin as something: "fill" or "copy", and the element type.
        numbered: iterators whose numbers the body reads.
        copied: results that no operation of the body is computed straight into.
    """

    starts: tuple[tuple[int, str, str], ...]
    numbered: tuple[int, ...]
    copied: tuple[int, ...]

    @staticmethod
    def of(view: Structured, body: ScalarBody, starts: Sequence[int], copied: Sequence[int]) -> AroundBody:
        """Of an operation; `starts`: the results that begin as their inits."""
        scatters = any(op.kind in SCATTERS for op in body.ops)
        found = []
        for r in starts:
            init = view.inits[r]
            if scatters and splat_of(init) is None and may_change(init):
                continue
            kind = "copy" if splat_of(init) is None else "fill"
            found.append((r, kind, dtype_name(element_type(init.type))))
        read = [o for op in body.ops for o in written_indices(view, op)] + list(body.yielded)
        numbered = sorted({o.dim for o in read if isinstance(o, IteratorValue)})
        return AroundBody(tuple(found), tuple(numbered), tuple(copied))

    def cycles(
        self,
        cost: CostModel,
        loops: TensorLayout,
        gives: Sequence[TensorLayout],
        looped: Collection[int],
    ) -> float:
        """Cycles without those of copies.

        Args:
            loops: of the operation; gives: layouts of its results.
            looped: loops that are taken one iteration at a time.
        """
        tiles = loops.tile_shape
        total = sum(cost.vector(kind, dtype, [gives[r].elements]) for r, kind, dtype in self.starts)
        for iterator in self.numbered:
            total += cost.vector("iota", "i32", [tiles[iterator]])
            dim = loops.dims[iterator]
            if dim.axes:  # the first number: as many blocks as there are before the PE's
                before = 1 + len(dim.digits) + (dim.low < dim.before)
                total += before * cost.vector("fill", "i32", [1])
        return total + cost.loops([tiles[i] for i in looped])
