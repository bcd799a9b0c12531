"""Decides for each write of a tensor whether it may happen in the buffer that holds the old value.

The decision is made write by write in program order. Writing operand `v` of `X` in place is legal when

* no value that may share `v`'s buffer is read by an operation that may run after `X` (a loop's next
  iteration counts as after), and `X` itself reads none of them except element for element;
* the buffer is writable: no constant, and no function argument unless it is marked as state.

A later `insert_slice` into the very region that `X` writes does not read it: that is what makes tile
loops work in place.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from ....dialects.host import ir
from .op_model import (
    ALLOCATING,
    INSERT_SLICES,
    INSERTIONS,
    VIEWS,
    Write,
    access_maps,
    disjoint_slices,
    is_empty,
    is_linalg,
    is_tensor,
    loop_inits,
    slice_key,
    writes_of,
)
from .program_order import ProgramOrder

WriteKey = tuple[ir.Operation, int]


@dataclass
class AliasSets:
    """Union-find over tensor values that may share a buffer; members are kept in order of insertion."""

    _parent: dict[ir.Value, ir.Value] = field(default_factory=dict)
    _members: dict[ir.Value, list[ir.Value]] = field(default_factory=dict)

    def find(self, value: ir.Value) -> ir.Value:
        parent = self._parent.setdefault(value, value)
        if parent == value:
            self._members.setdefault(value, [value])
            return value
        root = self.find(parent)
        self._parent[value] = root
        return root

    def union(self, a: ir.Value, b: ir.Value) -> None:
        a, b = self.find(a), self.find(b)
        if a != b:
            self._parent[b] = a
            self._members[a] += self._members.pop(b)

    def members(self, value: ir.Value) -> list[ir.Value]:
        return self._members[self.find(value)]


@dataclass
class InPlaceAnalysis:
    """The decisions for one function.

    Attributes:
        function: a `func.func` on tensors; it must not change while the analysis is in use.
        writable: the arguments whose buffers may be written.
        reasons: for each write that needs a buffer of its own, why.
        reused: for each write of an undefined destination, the input operand whose buffer takes its place.
        snapshots: shared outputs of parallel loops whose body reads the old value from the old buffer.
    """

    function: ir.Operation
    writable: list[ir.Value]
    aliases: AliasSets = field(default_factory=AliasSets)
    reasons: dict[WriteKey, str] = field(default_factory=dict)
    snapshots: set[WriteKey] = field(default_factory=set)
    reused: dict[WriteKey, int] = field(default_factory=dict)
    _in_place: set[WriteKey] = field(default_factory=set)
    _writes: dict[ir.Operation, list[Write]] = field(default_factory=dict)
    _tied: dict[ir.Value, tuple[WriteKey, ir.Value]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.order = ProgramOrder(self.function)
        for region in self.function.regions:
            for block in region.blocks:
                self._visit_block(block)

    def is_in_place(self, op: ir.Operation, index: int) -> bool:
        """Whether operand `index` of `op` is written in its own buffer."""
        return (op, index) in self._in_place

    def tied_operand(self, value: ir.Value) -> tuple[WriteKey, ir.Value] | None:
        """The write whose result, or whose loop body argument, `value` is, and the operand written."""
        return self._tied.get(value)

    def same_buffer_root(self, value: ir.Value) -> ir.Value:
        """The first value known to be *exactly* the same buffer as `value`."""
        while True:
            tied = self._tied.get(value)
            if tied is not None and tied[0] in self._in_place:
                value = tied[1]
            elif not isinstance(value.owner, ir.Block) and value.owner.operation.name == "tensor.cast":
                value = value.owner.operation.operands[0]
            else:
                return value

    # -- walk in program order

    def _visit_block(self, block: ir.Block) -> None:
        for op in block.operations:
            self._visit(op.operation)

    def _visit(self, op: ir.Operation) -> None:
        if op.name in VIEWS:
            self.aliases.union(op.operands[0], op.results[0])
        for write in self._writes_of(op):
            self._decide(op, write)
        for region in op.regions:
            if not is_linalg(op):
                for block in region.blocks:
                    self._visit_block(block)
        self._join_regions(op)

    def _join_regions(self, op: ir.Operation) -> None:
        if op.name in ("scf.for", "scf.forall"):
            for index, argument, result in loop_inits(op):
                if is_tensor(result) and (op, index) not in self.snapshots:
                    self.aliases.union(argument, result)
        elif op.name == "scf.if":
            for region in op.regions:
                for block in region.blocks:
                    self._join(op.results, _terminator(block).operands)
        elif op.name == "scf.while":
            forwarded = list(_terminator(op.regions[0].blocks[0]).operands)[1:]
            self._join(op.results, forwarded)
            self._join(op.regions[1].blocks[0].arguments, forwarded)

    def _join(self, left: object, right: object) -> None:
        for a, b in zip(left, right, strict=False):  # type: ignore[call-overload]
            if is_tensor(a):
                self.aliases.union(a, b)

    def _decide(self, op: ir.Operation, write: Write) -> None:
        key = (op, write.index)
        value = op.operands[write.index]
        if op.name in ("scf.for", "scf.forall", "scf.while"):
            for index, argument, result in loop_inits(op):
                if index == write.index:
                    self._tied[argument] = (key, value)
                    self._tied[result] = (key, value)
        elif write.result is not None:
            self._tied[write.result] = (key, value)
        reason = None if op.name == "tensor.parallel_insert_slice" else self._conflict(op, write, value)
        if op.name == "scf.forall" and self._read_by_other_threads(op, write):
            reason = "threads read parts of the shared output that other threads write"
            self.snapshots.add(key)
            self.aliases.union(value, self._body_argument(op, write) or value)
        if reason is not None:
            self.reasons[key] = reason
            return
        self._in_place.add(key)
        reused = self._dead_input(op, write)
        if reused is not None and write.result is not None:
            self.reused[key] = reused
            value = op.operands[reused]
            self._tied[write.result] = (key, value)
        result = self._body_argument(op, write) or write.result  # a loop's result joins after its body
        if result is not None:
            self.aliases.union(value, result)

    def _writes_of(self, op: ir.Operation) -> list[Write]:
        """What an operation writes; asked for each pair of its operands."""
        if op not in self._writes:
            self._writes[op] = writes_of(op)
        return self._writes[op]

    def _reused_by(self, op: ir.Operation) -> list[ir.Value]:
        return [
            op.operands[k] for w in self._writes_of(op) if (k := self.reused.get((op, w.index))) is not None
        ]

    def _dead_input(self, op: ir.Operation, write: Write) -> int | None:
        """An input whose buffer can take the result of an elementwise operation instead of an empty one."""
        maps = access_maps(op) if is_linalg(op) and is_empty(op.operands[write.index]) else None
        if maps is None or write.reads or not maps[write.index].is_permutation:
            return None
        for number, amap in enumerate(maps[: len(maps) - len(op.results)]):
            value = op.operands[number]
            if value.type != op.operands[write.index].type or amap != maps[write.index]:
                continue
            if self._owns_buffer(value) and not self._conflict(op, Write(number, write.result, True), value):
                return number
        return None

    def _owns_buffer(self, value: ir.Value) -> bool:
        """Whether the value is all of an allocation made in the function."""
        root = self.same_buffer_root(value)
        if isinstance(root.owner, ir.Block):
            return False
        return root in self._tied or root.owner.operation.name in ALLOCATING

    def _read_by_other_threads(self, op: ir.Operation, write: Write) -> bool:
        """Whether a parallel loop's body reads more of a shared output than the slices it inserts."""
        argument = self._body_argument(op, write)
        uses = [(use.owner.operation, use.operand_number) for use in argument.uses] if argument else []
        inserted = {slice_key(user) for user, number in uses if user.name in INSERT_SLICES and number == 1}
        for user, number in uses:
            if user.name in ("tensor.dim", "tensor.rank") or (user.name in INSERT_SLICES and number == 1):
                continue
            own = user.name == "tensor.extract_slice" and {slice_key(user)} == inserted
            if not own:
                return True
        return False

    def _body_argument(self, op: ir.Operation, write: Write) -> ir.Value | None:
        if op.name not in ("scf.for", "scf.forall", "scf.while"):
            return None
        return next(argument for index, argument, _ in loop_inits(op) if index == write.index)

    # -- one write

    def _conflict(self, op: ir.Operation, write: Write, value: ir.Value) -> str | None:
        """Why operand `value` of `op` cannot be written in place; None when it can."""
        if op.name == "tensor.insert_slice" and self._is_in_its_place(op):
            return None
        own = self.aliases.find(value)
        if any(self.aliases.find(v) == own and not self._apart(value, v) for v in self._reused_by(op)):
            return "another result of the operation is written there"
        for alias in self.aliases.members(value):
            reason = self._not_writable(alias) or self._conflict_with(op, write, value, alias)
            if reason:
                return reason
        return None

    def _not_writable(self, alias: ir.Value) -> str | None:
        owner = alias.owner
        if isinstance(owner, ir.Block):
            if owner.owner.operation == self.function and alias not in self.writable:
                return f"argument {ir.BlockArgument(alias).arg_number} of the function is read only"
            return None
        return "a constant is read only" if owner.operation.name == "arith.constant" else None

    def _conflict_with(self, op: ir.Operation, write: Write, value: ir.Value, alias: ir.Value) -> str | None:
        if alias == value and self.order.repeats_over(op, value):
            return "the value is needed again by the loop's next iteration"
        shared = self._shared_by_threads(op, alias)
        if shared and not any(
            self._same_slice_insertion(use.owner.operation, use.operand_number, op, value, alias)
            for use in alias.uses
        ):
            return "other threads share the value, and what is written is not one thread's own slice"
        for use in alias.uses:
            user, number = use.owner.operation, use.operand_number
            if user == op:
                if number != write.index and not self._harmless_operand(op, write, value, alias, number):
                    return "the operation reads the old value as another operand"
                continue
            if not self._use_reads(user, number):
                continue
            if shared and not self._same_slice_insertion(user, number, op, value, alias):
                if user.name == "tensor.extract_slice" and self._within(value, alias, slice_key(user)):
                    continue
                return f"other threads may read the value in '{user.name}'"
            if not self.order.may_follow(user, op, alias):
                continue
            if self._overwritten(user, number, op, value, alias) or self._apart(value, alias):
                continue
            return f"the old value is read later by '{user.name}' at {user.location}"
        return None

    def _use_reads(self, user: ir.Operation, number: int) -> bool:
        if user.name in ("tensor.dim", "tensor.rank"):
            return False
        return all(w.index != number or w.reads for w in self._writes_of(user))

    def _harmless_operand(
        self, op: ir.Operation, write: Write, value: ir.Value, alias: ir.Value, number: int
    ) -> bool:
        """An alias that is also read by `op`, but only at the element being written or as the same slice."""
        if op.name in INSERTIONS and number == 0:
            return self._within(alias, value, slice_key(op)) if op.name == "tensor.insert_slice" else False
        others = {w.index: w for w in self._writes_of(op)}
        if (
            number in others
        ):  # another destination: harmless if it has a buffer or a part of its own, or none as yet
            return (op, number) not in self._in_place or self._apart(value, alias)
        if is_linalg(op) and self._apart(value, alias):
            return True
        maps = access_maps(op) if is_linalg(op) else None
        if maps is None or not maps[write.index].is_permutation or maps[number] != maps[write.index]:
            return False
        return self.same_buffer_root(alias) == self.same_buffer_root(value)

    def _overwritten(
        self, user: ir.Operation, number: int, op: ir.Operation, value: ir.Value, alias: ir.Value
    ) -> bool:
        """`user`, or an insertion that alone follows it, overwrites the whole region of `value` before it is read."""
        block = user.block
        while user.name == "tensor.insert_slice" and number == 1 and user.block == block:
            if self._same_slice_insertion(user, number, op, value, alias):
                return True
            uses = list(user.results[0].uses)
            if len(uses) != 1:
                return False
            user, number = uses[0].owner.operation, uses[0].operand_number
        return user.block == block and self._same_slice_insertion(user, number, op, value, alias)

    def _same_slice_insertion(
        self, user: ir.Operation, number: int, op: ir.Operation, value: ir.Value, alias: ir.Value
    ) -> bool:
        """`user` overwrites the whole region that `value` covers, so it does not read what `op` writes."""
        if user.name not in INSERT_SLICES or number != 1:
            return False
        if any(self.order.contains(loop, user) for loop in self.order.repeats_over(op, alias)):
            return False
        return self._within(value, alias, slice_key(user))

    def _within(self, value: ir.Value, whole: ir.Value, key: tuple) -> bool:
        """Whether `value` is known to lie inside the slice `key` of `whole`."""
        root = self.same_buffer_root(whole)
        for source, found in self._slices_around(value):
            if found == key and self.same_buffer_root(source) == root:
                return True
        return False

    def _is_in_its_place(self, insertion: ir.Operation) -> bool:
        """Whether the inserted tensor was computed in the very slice that it goes to: nothing is written then."""
        value = self.same_buffer_root(insertion.operands[0])
        while not isinstance(value.owner, ir.Block):
            view = value.owner.operation
            if view.name == "tensor.extract_slice":
                same = self.same_buffer_root(view.operands[0]) == self.same_buffer_root(insertion.operands[1])
                return same and slice_key(view) == slice_key(insertion)
            if view.name not in VIEWS:
                return False
            inner = self.same_buffer_root(view.operands[0])
            before = None if isinstance(inner.owner, ir.Block) else inner.owner.operation
            if before is None or not _undoes(view, before):
                return False
            value = self.same_buffer_root(before.operands[0])
        return False

    def _apart(self, value: ir.Value, alias: ir.Value) -> bool:
        """Whether two tensors are known to lie in separate slices of one buffer."""
        others = [(self.same_buffer_root(whole), key) for whole, key in self._slices_around(alias)]
        return any(
            self.same_buffer_root(whole) == other and disjoint_slices(key, place)
            for whole, key in self._slices_around(value)
            for other, place in others
        )

    def _slices_around(self, value: ir.Value) -> Iterator[tuple[ir.Value, tuple]]:
        """(source, offsets/sizes/strides) of each slice that `value`'s buffer is contained in."""
        while True:
            value = self.same_buffer_root(value)
            if isinstance(value.owner, ir.Block) or value.owner.operation.name not in VIEWS:
                return
            view = value.owner.operation
            if view.name == "tensor.extract_slice":
                yield view.operands[0], slice_key(view)
            value = view.operands[0]

    def _shared_by_threads(self, op: ir.Operation, alias: ir.Value) -> bool:
        """Whether `alias` is a shared output of a parallel loop around `op`."""
        owner = alias.owner
        if not isinstance(owner, ir.Block) or owner.owner.operation.name != "scf.forall":
            return False
        return self.order.contains(owner.owner.operation, op)


def _terminator(block: ir.Block) -> ir.Operation:
    return list(block.operations)[-1].operation


def _undoes(later: ir.Operation, earlier: ir.Operation) -> bool:
    """Whether a reshape gives back what another one started from."""
    if {later.name, earlier.name} != {"tensor.expand_shape", "tensor.collapse_shape"}:
        return False
    same = later.attributes["reassociation"] == earlier.attributes["reassociation"]
    return same and later.results[0].type == earlier.operands[0].type
