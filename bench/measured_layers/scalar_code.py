"""Code that deals with one number at a time, in the machine's own rates."""

from __future__ import annotations

from wse_mlir.wse_target.instructions import Control, Instruction, Vector
from wse_mlir.wse_target.machine import Machine
from wse_mlir.wse_target.quasi_affine import const

from .writer import walk


def operations(machine: Machine, *kinds: str) -> int:
    """Scalar operations that are worth as much as these, each waiting for the one before.

    Arithmetic is one; of what has a rate below that (a division, a root, a function of the library) as many as take
    its time.
    """
    return sum(max(1, round(1 / (machine.rate(kind, "f16") * machine.control.scalar))) for kind in kinds)


def code(machine: Machine, *kinds: str) -> Control:
    """These operations, once."""
    return Control("scalar", const(operations(machine, *kinds)))


def loop(machine: Machine, count: int, buffer: str, *kinds: str) -> tuple[Instruction, ...]:
    """A scalar loop over a vector, in place: what an element costs includes a load, a store and the first operation."""
    first = Vector("copy", (const(count),), walk(buffer), (walk(buffer),), schedule="scalar")
    rest = operations(machine, *kinds[1:])
    return (first, Control("scalar", const(count * rest))) if rest else (first,)
