"""`wse-pack-weights`: the rhs of contractions lies in memory as register tiles read it."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod

from ....dialects.affine.expressions import dim_position, used_dims
from ....dialects.host import func, ir, linalg
from ....dialects.structured import Structured, structured
from ...infra.pass_base import Pass, PassRun, option
from ...tensor.access import element_bits
from ...tensor.contraction.form import ContractionForm, contraction_form
from ...tensor.prepack.known_values import KnownValues
from ...tensor.traversal import collect
from ..processor import Processor, processor
from ..vectorize.contraction.dot_product import dot_product
from ..vectorize.contraction.packing import ReductionGroup
from ..vectorize.contraction.tile import choose_tile
from .packing import PackedLayout, PackedSource, SharedBatches, can_pack, pack, read_packed, source_of

# An operand that is packed at every call, across its columns, pays that with so many rows that read it, at least: more
# where sums along the lanes, the alternative, are as fast as loads allow and long enough.
_AMORTISING_ROWS = 8
_ROWS_BESIDE_LANES = 36
_LONG_SUM = 128
# So many rows pay for packing columns that do lie side by side, where the operand does not stay in the second cache and
# its columns are long: pieces of its rows come from there one by one, and many of them share a few sets.
_MANY_ROWS = 128
_LONG_COLUMNS = 256
# Packing may repeat elements of an operand that is read several times, such as a window, but not often.
_MOST_REPEATED = 2


class PackWeights(Pass, name="wse-pack-weights", anchor="func.func"):
    """Brings the right-hand sides of contractions into panels, as wide as the register tile that will read them.

    Before:

        %y = linalg.generic {maps = [(m, n, k) -> (m, k), (m, n, k) -> (n, k), (m, n, k) -> (m, n)]}
               ins(%x, %w : tensor<49x512xf32>, tensor<100x512xf32>) ...

    After, with tiles of 32 columns: `%p` is [panels, k, columns of a panel], with zeros where columns lack.

        %z = tensor.pad %w high[28, 0]
        %p = linalg.generic {maps = [(p, k, c) -> (p * 32 + c, k), (p, k, c) -> (p, k, c)]}
               ins(%z : tensor<128x512xf32>) outs(%e : tensor<4x512x32xf32>)
        %y = linalg.generic {maps = [(m, n, k) -> (m, k), (m, n, k) -> (n floordiv 32, k, n mod 32), ...]}
               ins(%x, %p : tensor<49x512xf32>, tensor<4x512x32xf32>) ...

    The iteration space stays as it is: only the operand and its map change. What parameters determine is always packed,
    for `wse-split-parameters` moves that out of the call. Another operand is when enough rows read it and its columns
    do not lie side by side, or are so many and so long that it exceeds the second cache. What several batches share, as
    heads of queries do with heads of keys, is packed once for all of them. A cast to wider elements moves into the
    contraction, so that panels are narrow.

    Where the processor adds up the products of two bf16 or four bytes in one instruction, these lie together in
    parameters, and zeros behind the last ones: `%p` is [panels, groups of k, columns of a panel, group], its map
    `(m, n, k) -> (n floordiv 32, k floordiv 2, n mod 32, k mod 2)`.
    """

    vector_bits: int = option(0, "width of a vector register in bits; the processor's when 0", least=0)
    cpu: str = option("", "LLVM's name of the processor that code is for; this machine's when empty")
    features: str = option("", "LLVM's processor features on top of that, '+avx2,-avx512f'")

    def run(self, op: ir.Operation, run: PassRun) -> None:
        function = op.opview
        if not isinstance(function, func.FuncOp) or len(function.regions[0].blocks) != 1:
            return
        cpu = processor(self.cpu, self.features).with_vectors(self.vector_bits)
        packing = _Packing(KnownValues.of(function).values, cpu, run)
        for generic in collect(op, lambda o: isinstance(o.opview, linalg.GenericOp)):
            view = structured(generic)
            form = contraction_form(view) if view is not None else None
            if view is not None and form is not None:
                packing.apply(view, form)


@dataclass
class _Packing:
    """What was packed in one function so far."""

    known: set[ir.Value]
    cpu: Processor
    run: PassRun
    done: dict[tuple[ir.Value, ir.AffineMap, PackedLayout], ir.Value] = field(default_factory=dict)

    def apply(self, view: Structured, form: ContractionForm) -> None:
        """Packs the rhs of one contraction where that pays."""
        sizes = view.loop_sizes()
        if not isinstance(view.inputs[form.rhs].type, ir.RankedTensorType) or sizes[form.column] in (None, 0):
            return
        source = source_of(view, form.rhs)
        group = self._group(view, form, source)
        width = choose_tile(view, form, sizes, self.cpu, group=group).width
        shared = SharedBatches.of(source, form, sizes)
        source = shared.source
        layout = PackedLayout.of(view, form, source.amap, width, shared.sizes, group)
        if _is_packed(source) or not can_pack(source, layout) or not self._pays(form, source, layout):
            return
        key = (source.value, source.amap, layout)
        if key not in self.done:
            with view.op.location, _behind(source.value):
                self.done[key] = pack(source, layout)
            self.run.count("operands packed")
        amap = shared.restored(layout.map(len(view.iterators)))
        read_packed(view, form.rhs, source, self.done[key], amap)
        self.run.count("contractions that read packed operands")

    def _group(self, view: Structured, form: ContractionForm, source: PackedSource) -> ReductionGroup | None:
        """What lies together in a column, for the processor's dot products; nothing is worth that at every call."""
        dot = dot_product(view, form, self.cpu) if source.value in self.known else None
        return dot.group_of(view, form) if dot is not None else None

    def _pays(self, form: ContractionForm, source: PackedSource, layout: PackedLayout) -> bool:
        if source.value in self.known:
            return layout.points <= _MOST_REPEATED * _elements(source.value, layout)
        rows = prod(layout.sizes[i] or _AMORTISING_ROWS for i in form.rows)
        plain = [dim_position(e) for e in source.amap.results]
        if None in plain or len(set(plain)) < len(plain):
            return False
        steps = prod(layout.sizes[i] or 0 for i in layout.inner)
        # with 16 registers each multiply-add along the lanes takes a load, which FMA does not wait for
        few_sums = self.cpu.has_fma and self.cpu.vector_registers < 32
        if plain[-1] != layout.column:
            return rows >= (_AMORTISING_ROWS if steps < _LONG_SUM or few_sums else _ROWS_BESIDE_LANES)
        size = prod(layout.shape) * element_bits(source.value.type) // 8
        return rows >= _MANY_ROWS and steps >= _LONG_COLUMNS and size >= self.cpu.l2_bytes


def _elements(value: ir.Value, layout: PackedLayout) -> int:
    """Elements of a tensor of static shape, padded as much as the columns are."""
    columns = layout.sizes[layout.column] or 1
    return (
        prod(ir.RankedTensorType(value.type).shape) * layout.panels * layout.width // columns + layout.width
    )


def _is_packed(source: PackedSource) -> bool:
    """Whether an operand is read in panels already."""
    return any(
        isinstance(e, (ir.AffineFloorDivExpr, ir.AffineModExpr)) and used_dims(e) for e in source.amap.results
    )


def _behind(value: ir.Value) -> ir.InsertionPoint:
    """Right behind what makes a value, where all its readers can reuse what is computed there."""
    if isinstance(value.owner, ir.Block):
        return ir.InsertionPoint.at_block_begin(value.owner)
    return ir.InsertionPoint.after(value.owner)
