"""Which operation of a function may run after another, loops and exclusive branches considered."""

from __future__ import annotations

from dataclasses import dataclass, field

from ....dialects.host import ir

LOOPS = frozenset({"scf.for", "scf.forall", "scf.while", "scf.parallel", "affine.for", "affine.parallel"})


@dataclass
class _Place:
    """Where an operation stands: its own interval of numbers and the regions it is nested in."""

    enter: int
    exit: int
    path: tuple[tuple[ir.Operation, int], ...]  # (ancestor, index of its region), outermost first


@dataclass
class ProgramOrder:
    """Numbers the operations below `function` in textual order.

    The IR must not change while the object is in use.
    """

    function: ir.Operation
    _places: dict[ir.Operation, _Place] = field(default_factory=dict)
    _counter: int = 0

    def __post_init__(self) -> None:
        self._number(self.function, ())

    def _number(self, op: ir.Operation, path: tuple[tuple[ir.Operation, int], ...]) -> None:
        place = _Place(self._counter, 0, path)
        self._counter += 1
        self._places[op] = place
        for index, region in enumerate(op.regions):
            for block in region.blocks:
                for inner in block.operations:
                    self._number(inner.operation, (*path, (op, index)))
        place.exit = self._counter
        self._counter += 1

    def position(self, op: ir.Operation) -> int:
        """The operation's number in textual order."""
        return self._places[op].enter

    def contains(self, outer: ir.Operation, inner: ir.Operation) -> bool:
        """Whether `inner` is nested below `outer`."""
        a, b = self._places[outer], self._places[inner]
        return a.enter < b.enter and b.exit < a.exit

    def loops_around(self, op: ir.Operation) -> tuple[ir.Operation, ...]:
        """The loops that `op` is nested in, outermost first."""
        return tuple(owner for owner, _ in self._places[op].path if owner.name in LOOPS)

    def loops_of_value(self, value: ir.Value) -> tuple[ir.Operation, ...]:
        """The loops in whose every iteration `value` is defined anew."""
        owner = value.owner
        if isinstance(owner, ir.Block):
            parent = owner.owner.operation
            around = self.loops_around(parent)
            return (*around, parent) if parent.name in LOOPS else around
        return self.loops_around(owner.operation)

    def repeats_over(self, op: ir.Operation, value: ir.Value) -> tuple[ir.Operation, ...]:
        """The loops that run `op` several times for one definition of `value`."""
        own = self.loops_of_value(value)
        return tuple(loop for loop in self.loops_around(op) if loop not in own)

    def may_follow(self, use: ir.Operation, op: ir.Operation, value: ir.Value) -> bool:
        """Whether `use` may run after `op` started, while the same definition of `value` lives."""
        if any(self.contains(loop, use) for loop in self.repeats_over(op, value)):
            return True
        if self.contains(op, use):
            return True
        if self.contains(use, op) or self._exclusive(use, op):
            return False
        return self.position(use) > self.position(op)

    def _exclusive(self, a: ir.Operation, b: ir.Operation) -> bool:
        for (owner, left), (other, right) in zip(self._places[a].path, self._places[b].path, strict=False):
            if owner != other:
                return False
            if left != right:
                return owner.name == "scf.if"
        return False
