"""Random vector operations and scalar code: every kind on every element type that it is defined for."""

from __future__ import annotations

from dataclasses import replace

from random_builder import LENGTH, SLACK, Builder, Slot
from random_fabric import PE

from wse_mlir.wse_target.instructions import Access, Choose, Control, Index, Instruction, Vector
from wse_mlir.wse_target.kinds import ACCUMULATES, ARITY
from wse_mlir.wse_target.quasi_affine import Expr, const, maximum, minimum

FLOATS = ("f32", "f16", "bf16")
COMPARISONS = ("eq", "ne", "lt", "le", "gt", "ge")
BITWISE = ("and", "or", "xor")
# Results that may grow without bound or be NaN go to a buffer that is never read, lest they hide differences.
WILD = (
    "div", "rem", "pow", "exp", "exp2", "expm1", "log", "log1p", "log2", "sqrt", "rsqrt",
    "tanh", "erf", "sin", "cos", "sigmoid", "floor", "ceil", "round",
)  # fmt: skip
TAME = ("fill", "copy", "convert", "add", "sub", "mul", "max", "min", "fma", "neg", "abs", "iota", *BITWISE)
UNITS = ("task", "branch", "library_call", "descriptor", "scalar")
assert {*WILD, *TAME, *COMPARISONS, "select"} == set(ARITY)


def compute(b: Builder, pes: list[PE]) -> None:
    """One vector operation on all of `pes`."""
    with b.choosing_apart():
        if b.chance(0.15):
            b.emit(pes, indirect(b))
    with b.choosing_apart(1):
        if b.chance(0.1):
            b.emit(pes, chosen(b))
    choice = b.random.random()
    kind = b.pick(TAME if choice < 0.6 else WILD if choice < 0.85 else (*COMPARISONS, "select"))
    b.emit(pes, vector(b, kind))


def vector(b: Builder, kind: str) -> Vector:
    """A vector operation of that kind."""
    dtype = b.pick(d for d in b.dtypes if fits(kind, d))
    bounds, strides = _nest(b)
    target = b.slot(dtype)
    dst = b.walk(target, strides)
    if kind in COMPARISONS:
        dst = Access("m_i1", const(0), strides)
    elif kind in WILD:
        dst = Access(f"t_{dtype}", const(0), strides)
    sources = [_operand(b, kind, dtype, bounds, target) for _ in range(ARITY[kind])]
    if kind in ("div", "rem") and dtype not in FLOATS:
        sources[1] = 3
    if kind in COMPARISONS and not any(isinstance(s, Access) for s in sources):
        sources[0] = b.walk(target, _walk(b, bounds))
    if kind == "select":
        sources[0] = Access("m_i1", const(0), _walk(b, bounds))
    # A sum, a dot product, a maximum: in place, repeated in some loops.
    if kind in ACCUMULATES and b.chance(0.4):
        kept = b.below(len(bounds) + 1)
        dst = Access(dst.buffer, dst.offset, tuple(s if i == kept else 0 for i, s in enumerate(strides)))
        sources = sources if kind == "fma" else [dst, sources[1]]
    schedule = b.pick(["mapped", "mapped", "mapped", "looped", "scalar"])
    return Vector(kind, bounds, dst, tuple(sources), schedule=schedule)


def indirect(b: Builder) -> Vector:
    """Rows, or elements, gathered, scattered or added up where numbers in memory say; some PEs have no such place."""
    dtype, numbers_dtype = b.pick(b.dtypes), b.pick(d for d in b.dtypes if d not in FLOATS)
    rows, columns, held = b.between(1, 5), b.between(1, 7), b.between(1, 6)
    numbers = b.slot(numbers_dtype)
    target = b.slot(dtype, but=numbers)
    loops = b.pick([(1, 0), (1, 0), (columns, 1)])  # a number for each row, or for each element
    step = b.pick([columns, columns, b.between(1, columns)])  # rows that overlap
    size = const(held) if b.chance(0.5) else minimum(const(held), b.expression(held + 1))
    index = Index(b.walk(numbers, loops), step, size, b.expression(8) - 4, partial=True)
    bounds = (const(rows), const(columns))
    kind = b.pick(["copy", "add", "add", "max", "min", "fma"])
    if b.chance(0.5):
        place = Access(f"m_{dtype}", const(target[1] * LENGTH), (0, 1), (index,))
        other = b.walk(b.slot(dtype, but=target), (columns, 1))
    else:
        place = b.walk(target, (columns, 1))
        other = replace(b.walk(b.slot(dtype, but=target), (0, 1), skip=False), indices=(index,))
    one = 1.0 if dtype in FLOATS else 1
    sources = {"copy": (other,), "fma": (other, one)}.get(kind, (place, other))
    return Vector(kind, bounds, place, sources, schedule=b.pick(["mapped", "looped", "scalar"]))


def chosen(b: Builder) -> Choose:
    """Some cases, of which PEs, tables, trips or the host's numbers choose one or none."""
    cases = [[vector(b, b.pick(TAME)) for _ in range(b.below(3))] for _ in range(b.between(1, 3))]
    if b.chance(0.3):
        cases[-1].append(Control("scalar", b.expression(4) * 5 + 1))
    return Choose(b.expression(4), tuple(map(tuple, cases)))


def fits(kind: str, dtype: str) -> bool:
    """Whether a kind is defined for an element type."""
    if kind in BITWISE:
        return dtype not in FLOATS
    if kind in ("div", "rem"):
        return True
    return dtype in FLOATS or kind not in WILD


def _nest(b: Builder) -> tuple[tuple[Expr, ...], tuple[int, ...]]:
    """Bounds and the strides of a walk that repeats nothing."""
    shape = b.below(4)
    if shape == 0:
        rows, columns = b.between(1, 4), b.between(1, 9)
        return (const(rows), const(columns)), b.pick([(columns, 1), (1, rows), (12, 1)])
    if shape == 1:
        return (const(2), const(b.between(1, 3)), const(b.between(1, 5))), (24, 6, 1)
    count: Expr = const(b.between(1, LENGTH - SLACK))
    if shape == 2:
        count = b.pick([minimum(count, b.expression(12)), maximum(count - b.expression(12) * 3, 0)])
        return (count,), (1,)
    return (const(b.between(1, (LENGTH - SLACK) // 3)),), (b.between(1, 3),)


def _walk(b: Builder, bounds: tuple[Expr, ...]) -> tuple[int, ...]:
    """Strides for a source: any that stay inside a piece of memory."""
    if len(bounds) == 1:
        return (b.below(2),)
    return (
        b.pick([(9, 1), (1, 4), (0, 1), (1, 0)])
        if len(bounds) == 2
        else b.pick([(24, 6, 1), (0, 5, 1), (1, 2, 6)])
    )


def _operand(
    b: Builder, kind: str, dtype: str, bounds: tuple[Expr, ...], target: Slot
) -> Access | float | int:
    """A scalar, or a walk over a piece of memory that is not `target`."""
    if kind in ("fill", "iota") or (b.chance(0.2) and kind not in ("copy", "convert")):
        return b.pick([1, 2, 3] if dtype not in FLOATS else [0.5, -0.75, 1.5])
    if kind == "convert":  # to integers from floats that do not fit is nothing that agrees anywhere
        dtype = b.pick(d for d in b.dtypes if d not in FLOATS or dtype in FLOATS)
    return b.walk(b.slot(dtype, but=target), _walk(b, bounds))


def control(b: Builder, pes: list[PE], most: int = 4) -> None:
    """Scalar code, worth up to some hundred cycles."""
    unit = b.pick(UNITS)
    count = const(1) if unit == "library_call" else b.expression(most) * b.between(1, 6) + 1
    b.emit(pes, Control(unit, count))


def delay(b: Builder, pes: list[PE]) -> None:
    """Work that makes PEs late for what comes next."""
    late: Instruction = Control("scalar", const(b.between(20, 150)))
    if b.chance(0.5):
        late = Vector("add", (const(b.between(2, 8)), const(20)), Access("t_f32", const(0), (0, 1)),
                      (Access("t_f32", const(0), (0, 1)), 0.5))  # fmt: skip
    b.emit(pes, late)
