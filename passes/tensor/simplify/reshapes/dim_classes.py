"""Dimensions that are one and the same, through a whole program, and where reshapes want them cut.

A dimension of a tensor, and an iterator, belongs to a class: operations join the classes of what they read and write
along one iterator. A reshape says that one dimension is several others, from the outermost on: a class is cut where its
index passes from one of them to the next. Cuts go both ways, until nothing changes: what is cut in the middle of a
dimension that is part of another one cuts that, too.

Where an operation asks for positions, or reads by more than plain iterators, its classes are left whole.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from .....dialects.affine.expressions import dim_position, used_dims
from .....dialects.host import func, ir, tensor
from .....dialects.reshapes import reassociation
from .....dialects.structured import names_loops, outer_operands, structured
from ...disjoint_sets import DisjointSets
from .free_shapes import is_free_of_shape

Dim = tuple[Any, int]  # a value or an operation, and a number: of its dimension, or iterator


@dataclass
class DimClasses:
    """Classes of the dimensions and iterators of one block.

    Attributes:
        sizes: of every dimension and iterator.
        links: a dimension that reshapes see as several, outermost first.
    """

    sizes: dict[Dim, int] = field(default_factory=dict)
    links: list[tuple[Dim, tuple[Dim, ...]]] = field(default_factory=list)
    _sets: DisjointSets[Dim] = field(default_factory=DisjointSets)
    _whole: set[Dim] = field(default_factory=set)
    _needed: list[tuple[Dim, int]] = field(
        default_factory=list
    )  # cuts without which a slice keeps a class whole
    _cuts: dict[Dim, tuple[int, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, block: ir.Block) -> DimClasses:
        """The classes of a block's dimensions, and their cuts."""
        found = cls()
        for op in block.operations:
            found._note(op)
        found._settle()
        return found

    def parts(self, dim: Dim) -> tuple[int, ...]:
        """The sizes that a dimension is cut into, outermost first; itself where it is left whole."""
        strides = [self.sizes[dim], *reversed(self._cuts.get(self._sets.find(dim), ())), 1]
        return tuple(a // b for a, b in itertools.pairwise(strides))

    def _dims(self, value: ir.Value) -> list[Dim]:
        """A tensor's dimensions; one of open size is left whole."""
        shaped = ir.ShapedType(value.type)
        for d in range(shaped.rank):
            self.sizes[value, d] = -1 if shaped.is_dynamic_dim(d) else shaped.get_dim_size(d)
            if shaped.is_dynamic_dim(d):
                self._whole.add((value, d))
        return [(value, d) for d in range(shaped.rank)]

    def _keep(self, values: Sequence[ir.Value]) -> None:
        for value in values:
            if isinstance(value.type, ir.RankedTensorType):
                self._whole.update(self._dims(value))

    # -- what operations say -----------------------------------------------------------------------------------

    def _note(self, op: Any) -> None:
        opview = op.operation.opview
        if structured(op) is not None and not names_loops(op):
            self._note_generic(op)
        elif is_tensor(op) and is_free_of_shape(op.operation.results[0]):
            self._dims(op.operation.results[0])
        elif isinstance(opview, tensor.ExpandShapeOp):
            self._note_reshape(op, self._dims(opview.src), self._dims(opview.result))
        elif isinstance(opview, tensor.CollapseShapeOp):
            self._note_reshape(op, self._dims(opview.result), self._dims(opview.src))
        elif isinstance(opview, tensor.ExtractSliceOp | tensor.InsertSliceOp):
            self._note_slice(op)
        elif not isinstance(opview, func.ReturnOp):
            self._keep([*outer_operands(op.operation), *op.operation.results])

    def _note_generic(self, op: Any) -> None:
        view = structured(op)
        assert view is not None
        for loop, size in enumerate(view.loop_sizes()):
            self.sizes[op, loop] = -1 if size is None else size
            if size is None:
                self._whole.add((op, loop))
        for value, access in zip(view.operands, view.maps, strict=True):
            if not isinstance(value.type, ir.RankedTensorType) or is_free_of_shape(value):
                continue
            for dim, expr in zip(self._dims(value), access.results, strict=True):
                position = dim_position(expr)
                if position is not None:
                    self._sets.join(dim, (op, position))
                elif used_dims(expr):
                    self._whole.add(dim)
                    self._whole.update((op, loop) for loop in used_dims(expr))
        for access, result in zip(view.init_maps, op.results, strict=False):
            for dim, expr in zip(self._dims(result), access.results, strict=True):
                position = dim_position(expr)
                if position is not None:
                    self._sets.join(dim, (op, position))
        for inner in view.body_operations():
            if inner.operation.name == "linalg.index" and any(True for _ in inner.result.uses):
                self._whole.add((op, ir.IntegerAttr(inner.attributes["dim"]).value))
            self._keep(inner.operation.operands)

    def _note_reshape(self, op: Any, merged: Sequence[Dim], split: Sequence[Dim]) -> None:
        for dim, group in zip(merged, reassociation(op), strict=True):
            real = tuple(split[d] for d in group if self.sizes[split[d]] != 1)
            if len(real) == 1 and self.sizes[real[0]] == self.sizes[dim]:
                self._sets.join(dim, real[0])
            elif real:
                self.links.append((dim, real))

    def _note_slice(self, op: Any) -> None:
        """What is taken or written whole along a dimension is one dimension; so is an aligned block of another one."""
        is_insert = op.operation.name == "tensor.insert_slice"
        small, large = op.operation.operands[0], op.operation.results[0]
        if not is_insert:
            small, large = large, small
        elif not is_free_of_shape(op.operation.operands[1]):
            for one, other in zip(self._dims(op.operation.operands[1]), self._dims(large), strict=True):
                self._sets.join(one, other)
        inner, outer = self._dims(small), self._dims(large)
        offsets, strides = (
            ir.DenseI64ArrayAttr(op.attributes[f"static_{n}"]) for n in ("offsets", "strides")
        )
        for one, other, offset, stride in zip(inner, outer, offsets, strides, strict=True):
            size, total = self.sizes[one], self.sizes[other]
            if size == total != -1:
                self._sets.join(one, other)
            elif size < 1 or total < 1 or offset < 0 or stride != 1 or offset % size or total % size:
                self._whole.update((one, other))
            elif size > 1:
                block = (op, other[1] - len(outer))  # which block of so many: no iterator has such a number
                self.sizes[block] = total // size
                self.links.append((other, (block, one)))
                self._needed.append((other, size))

    # -- cuts --------------------------------------------------------------------------------------------------

    def _settle(self) -> None:
        """Carries cuts along reshapes until nothing changes."""
        self._whole = {self._sets.find(dim) for dim in self._whole}
        for dim, stride in self._needed:
            if not self._cut(dim, [stride]) and stride not in self._cuts.get(self._sets.find(dim), ()):
                self._whole.add(self._sets.find(dim))
                self._cuts.pop(self._sets.find(dim), None)
        changed = True
        while changed:
            changed = sum(self._carry(dim, parts) for dim, parts in self.links) > 0

    def _carry(self, dim: Dim, parts: Sequence[Dim]) -> bool:
        strides = list(_strides([self.sizes[p] for p in parts]))
        changed = False
        for part, stride in zip(parts, strides, strict=True):
            wanted = [stride * cut for cut in self._cuts.get(self._sets.find(part), ())]
            changed |= self._cut(dim, [*wanted, stride])
        for part, stride in zip(parts, strides, strict=True):
            within = [c // stride for c in self._cuts.get(self._sets.find(dim), ()) if c % stride == 0]
            changed |= self._cut(part, within)
        return changed

    def _cut(self, dim: Dim, strides: Sequence[int]) -> bool:
        """Cuts a class where its index is a multiple of strides; those that do not fit the others are left out."""
        root, size = self._sets.find(dim), self.sizes[dim]
        if root in self._whole:
            return False
        cuts = self._cuts.get(root, ())
        for stride in strides:
            if not 1 < stride < size or size % stride or stride in cuts:
                continue
            if all(max(stride, cut) % min(stride, cut) == 0 for cut in cuts):
                cuts = tuple(sorted((*cuts, stride)))
        is_new = cuts != self._cuts.get(root, ())
        self._cuts[root] = cuts
        return is_new


def is_tensor(op: Any) -> bool:
    """Whether an operation gives one tensor."""
    return len(op.operation.results) == 1 and isinstance(op.operation.results[0].type, ir.RankedTensorType)


def _strides(sizes: Sequence[int]) -> Iterator[int]:
    """How far apart equal digits of the dimensions are, outermost first."""
    for position in range(len(sizes)):
        yield math.prod(sizes[position + 1 :])
