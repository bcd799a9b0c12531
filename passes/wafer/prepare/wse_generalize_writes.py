"""The pass `wse-generalize-writes`: writes at computed places become `linalg.generic`s."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

from ....dialects.host import arith, ir, linalg, tensor
from ....dialects.structured import PARALLEL, REDUCTION, build_generic, replace_op
from ...infra.pass_base import Pass, PassRun
from ..scalars.splat import scalar_constant
from .writes import UNIT_RESHAPES, LoopedWrite, find_write, mixed_offsets


class GeneralizeWrites(Pass, name="wse-generalize-writes", anchor="func.func"):
    """Says of each element of the result which writes hit it, in the order of the loops around them.

    Scatters, index_copy, index_put, index_add, rows of caches, and elements written one by one: a loop becomes a
    reduction, unless a dimension of the result goes along with it. PEs then own elements, and write those of them that
    are hit.

        %r = scf.for %k = %c0 to %c3 step %c1 iter_args(%t = %x) -> tensor<5xf32> {
          %i = tensor.extract %ids[%k]
          %v = tensor.extract %values[%k]
          %n = tensor.insert %v into %t[%i]
          scf.yield %n
    becomes
        %r = linalg.generic {maps = [(d, k) -> (d)], ["parallel", "reduction"]} outs(%x) {
        ^bb0(%out):
          %i = tensor.extract %ids[linalg.index 1]
          %hit = arith.cmpi eq, linalg.index 0, %i
          %v = tensor.extract %values[linalg.index 1]
          %n = arith.select %hit, %v, %out
          linalg.yield %n
    """

    def run(self, op: ir.Operation, run: PassRun) -> None:
        count = 0
        for block in op.regions[0].blocks:
            for inner in list(block.operations):
                write = find_write(inner)
                generalizer = None if write is None else _Generalizer(write)
                if generalizer is not None and generalizer.possible():
                    generalizer.rewrite()
                    count += 1
        run.count("writes generalized", count)


class _Generalizer:
    """Turns one write into a generic. Its iterators: dimensions of the result, then the loops that none of them is."""

    def __init__(self, write: LoopedWrite) -> None:
        self.write = write
        self.shape = _shape(write.target)
        self.iterator_of: dict[ir.Value, int] = {}  # of variables of loops
        self.part: list[
            int | None
        ] = []  # of each dimension of the written part; None where it has one element
        self.along: set[int] = set()  # dimensions whose iterator says itself where is written
        self.trips: list[int] = []  # of the reductions
        self._choose_iterators()
        self.values: dict[ir.Value, ir.Value] = {}
        self.indices: dict[int, ir.Value] = {}
        self.out: ir.Value | None = None

    def _choose_iterators(self) -> None:
        write, rank = self.write, len(self.shape)
        trips = dict(write.loops)
        for dim, (place, size) in enumerate(zip(write.places, write.sizes, strict=True)):
            if isinstance(place, ir.Value) and place in trips and place not in self.iterator_of:
                if size == 1 and trips[place] == self.shape[dim]:
                    self.iterator_of[place] = dim
                    self.along.add(dim)
            elif size == self.shape[dim] and _number(place) == 0:
                self.along.add(dim)
        for variable, count in write.loops:
            if variable not in self.iterator_of:
                self.iterator_of[variable] = rank + len(self.trips)
                self.trips.append(count)
        for dim, size in enumerate(write.sizes):
            if size == 1 and (dim not in self.along or self.write.op.operation.name == "tensor.insert"):
                self.part.append(None)
            elif dim in self.along:
                self.part.append(dim)
            else:
                self.part.append(rank + len(self.trips))
                self.trips.append(size)

    def possible(self) -> bool:
        """Whether all that the write depends on can be computed in a body; nothing is created to find out."""
        asked = [p for p in self.write.places if isinstance(p, ir.Value)]
        source = self.write.op.operation.operands[0]
        asked += self._slice_offsets(source) if isinstance(source.type, ir.RankedTensorType) else [source]
        seen: set[ir.Value] = set()
        while asked:
            value = asked.pop()
            if value in seen or value in self.iterator_of:
                continue
            seen.add(value)
            owner: Any = value.owner
            if isinstance(owner, ir.Block):
                return False
            name, operands = owner.name, list(owner.operands)
            if name == "tensor.extract":
                if not self._is_readable(operands):
                    return False
                asked += operands[1:]
            elif name.startswith(("arith.", "math.")) and not isinstance(value.type, ir.ShapedType):
                asked += operands
            else:
                return False
        return True

    def _is_readable(self, operands: Sequence[ir.Value]) -> bool:
        """The carried tensor is read where it is written; others are there before the loops are."""
        table, *indices = operands
        return indices == self.write.places if table in self.write.carried else self._is_outside(table)

    def _is_outside(self, value: ir.Value) -> bool:
        owner: Any = value.owner
        block = owner if isinstance(owner, ir.Block) else owner.operation.block
        return block == self.write.root.operation.block

    def _slice_offsets(self, source: ir.Value) -> list[ir.Value]:
        """What offsets of slices that make the written part depend on; the part itself where it is no slice."""
        owner: Any = source.owner
        if isinstance(owner, ir.Block) or self._is_outside(source):
            return []
        inner = owner.operands[0]
        if owner.name in UNIT_RESHAPES and _wide(source) == _wide(inner):
            return self._slice_offsets(inner)
        if owner.name != "tensor.extract_slice":
            return [source]  # which `possible` refuses
        return [o for o in mixed_offsets(owner, 1) if isinstance(o, ir.Value)] + self._slice_offsets(inner)

    # The new operation

    def rewrite(self) -> None:
        """Replaces the write, and the loops around it."""
        rank, root = len(self.shape), self.write.root
        kinds = [PARALLEL] * rank + [REDUCTION] * len(self.trips)
        with ir.InsertionPoint(root), root.location:
            # What gives a reduction its size: nobody reads it.
            sizes = [tensor.EmptyOp([n], ir.IntegerType.get_signless(8)).result for n in self.trips]
            maps = [
                ir.AffineMap.get(len(kinds), 0, [ir.AffineDimExpr.get(rank + n)])
                for n in range(len(self.trips))
            ]
            maps.append(ir.AffineMap.get(len(kinds), 0, [ir.AffineDimExpr.get(d) for d in range(rank)]))
            new = build_generic(sizes, [self.write.target], maps, kinds, self._body)
        replace_op(root, new.results)

    def _body(self, *arguments: ir.Value) -> list[ir.Value]:
        self.out = arguments[-1]
        hits = []
        for dim, place in enumerate(self.write.places):
            if dim in self.along:
                continue
            at = self._number(place)
            step = self.part[dim]
            if step is not None:
                at = arith.addi(at, self._index(step)) if _number(place) != 0 else self._index(step)
            hits.append(arith.cmpi(arith.CmpIPredicate.eq, self._index(dim), at))
        source = self.write.op.operation.operands[0]
        value = (
            self._element(source) if isinstance(source.type, ir.RankedTensorType) else self._number(source)
        )
        return [arith.select(reduce(arith.andi, hits), value, self.out) if hits else value]

    def _element(self, source: ir.Value) -> ir.Value:
        """The element of the written part that an iteration writes."""
        wide = [
            self._index(s)
            for s, n in zip(self.part, self.write.sizes, strict=True)
            if s is not None and n > 1
        ]
        places = self._spread(wide, source)
        while not isinstance(source.owner, ir.Block) and not self._is_outside(source):
            owner: Any = source.owner
            source = owner.operands[0]
            if owner.name == "tensor.extract_slice":
                places = self._in_slice(owner, places)
            else:
                wide = [p for p, n in zip(places, _shape(owner.results[0]), strict=True) if n > 1]
                places = self._spread(wide, source)
        return tensor.extract(source, places)

    def _spread(self, wide: Sequence[ir.Value], source: ir.Value) -> list[ir.Value]:
        """Indices of a tensor: those along its dimensions of more than one element, and 0 along others."""
        left = iter(wide)
        return [next(left) if size > 1 else self._constant(0) for size in _shape(source)]

    def _in_slice(self, owner: Any, places: list[ir.Value]) -> list[ir.Value]:
        """Indices of the whole tensor, of those of an `extract_slice`."""
        sizes, strides = (
            list(ir.DenseI64ArrayAttr(owner.attributes[f"static_{n}"])) for n in ("sizes", "strides")
        )
        left = iter([p for p, n in zip(places, _shape(owner.results[0]), strict=True) if n > 1])
        found = []
        for offset, size, stride in zip(mixed_offsets(owner, 1), sizes, strides, strict=True):
            if size == 1:
                found.append(self._number(offset))
                continue
            place = next(left)
            scaled = place if stride == 1 else arith.muli(place, self._constant(stride))
            found.append(scaled if _number(offset) == 0 else arith.addi(scaled, self._number(offset)))
        return found

    def _index(self, iterator: int) -> ir.Value:
        if iterator not in self.indices:
            self.indices[iterator] = linalg.IndexOp(iterator).result
        return self.indices[iterator]

    @staticmethod
    def _constant(number: int) -> ir.Value:
        return arith.ConstantOp.create_index(number).result

    def _number(self, value: ir.Value | int) -> ir.Value:
        """A number of the loops, computed in the body."""
        if isinstance(value, int):
            return self._constant(value)
        if value in self.iterator_of:
            return self._index(self.iterator_of[value])
        if value not in self.values:
            self.values[value] = self._computed(value)
        return self.values[value]

    def _computed(self, value: ir.Value) -> ir.Value:
        owner: Any = value.owner
        operands = list(owner.operands)
        reads = owner.name == "tensor.extract"
        if reads and self._is_carried(operands[0]) and operands[1:] == self.write.places:
            assert self.out is not None
            return self.out
        new = [o if reads and n == 0 else self._number(o) for n, o in enumerate(operands)]
        clone = owner.operation.clone()
        for number, operand in enumerate(new):
            clone.operands[number] = operand
        return clone.results[0]

    def _is_carried(self, value: ir.Value) -> bool:
        """Whether a tensor is the one that is written, as it is when an iteration begins."""
        return value in self.write.carried or (not self.write.loops and value == self.write.target)


def _number(place: ir.Value | int) -> float | int | None:
    return place if isinstance(place, int) else scalar_constant(place)


def _shape(value: ir.Value) -> list[int]:
    return list(ir.RankedTensorType(value.type).shape)


def _wide(value: ir.Value) -> list[int]:
    """Sizes of the dimensions of more than one element."""
    return [size for size in _shape(value) if size != 1]
