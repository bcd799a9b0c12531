"""Modules of linalg, tensor, scf and arith operations drawn at random, as text.

Every function takes and returns tensors whose sizes are known; all operations are defined on all values they can get
(integer divisors are odd, indices are in range), so that any two correct lowerings agree.
"""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass

FLOAT_TYPES = ("f32", "f32", "f32", "f64", "f16", "bf16")
INTEGER_TYPES = ("i32", "i64", "i8", "i16")
_SIZES = (1, 2, 3, 4, 5, 8, 16, 17)
_FLOAT_UNARY = ("arith.negf", "math.absf", "math.tanh", "math.sin", "math.erf", "math.floor", "math.exp")
_FLOAT_BINARY = (
    "arith.addf",
    "arith.subf",
    "arith.mulf",
    "arith.maximumf",
    "arith.minimumf",
    "arith.maxnumf",
)
_INTEGER_BINARY = (
    "arith.addi", "arith.subi", "arith.muli", "arith.andi", "arith.ori", "arith.xori", "arith.maxsi", "arith.minui",
    "arith.maxui", "arith.minsi",
)  # fmt: skip
_REDUCTIONS = {
    True: ("arith.addf", "arith.maximumf", "arith.minimumf"),
    False: ("arith.addi", "arith.maxsi", "arith.muli"),
}


@dataclass(frozen=True)
class Tensor:
    """A value by its name in the text."""

    name: str
    shape: tuple[int, ...]
    element: str

    @property
    def type(self) -> str:
        return f"tensor<{''.join(f'{size}x' for size in self.shape)}{self.element}>"

    @property
    def is_float(self) -> bool:
        return self.element in FLOAT_TYPES


class ModuleWriter:
    """Writes one function, `@main`, whose operations are drawn."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self.names = (f"%v{n}" for n in itertools.count())
        self.lines: list[str] = []

    def text(self) -> str:
        """The module."""
        element = self.draw.choice(FLOAT_TYPES if self.draw.random() < 0.75 else INTEGER_TYPES)
        arguments = [
            Tensor(f"%x{n}", tuple(self.draw.choice(_SIZES) for _ in range(self.draw.randint(1, 4))), element)
            for n in range(self.draw.randint(1, 3))
        ]
        values = list(arguments)
        for _ in range(self.draw.randint(1, 8)):
            made = self.draw.choice(STEPS)(self, values)
            if made is not None:
                values.append(made)
        returned = [values[-1], *([self.draw.choice(values)] if self.draw.random() < 0.4 else [])]
        signature = ", ".join(f"{a.name}: {a.type}" for a in arguments)
        types = ", ".join(v.type for v in returned)
        body = "\n  ".join(self.lines)
        return (
            f"func.func @main({signature}) -> ({types}) {{\n  {body}\n"
            f"  return {', '.join(v.name for v in returned)} : {types}\n}}\n"
        )

    def write(self, text: str, shape: tuple[int, ...], element: str) -> Tensor:
        made = Tensor(next(self.names), shape, element)
        self.lines.append(f"{made.name} = {text}")
        return made

    def filled(self, shape: tuple[int, ...], element: str, number: str) -> Tensor:
        """A tensor of one number."""
        empty = self.write(f"tensor.empty() : {Tensor('', shape, element).type}", shape, element)
        constant = next(self.names)
        self.lines.append(f"{constant} = arith.constant {number} : {element}")
        return self.write(
            f"linalg.fill ins({constant} : {element}) outs({empty.name} : {empty.type}) -> {empty.type}",
            shape,
            element,
        )

    def zeros(self, shape: tuple[int, ...], element: str) -> Tensor:
        return self.filled(shape, element, "0.0" if element in FLOAT_TYPES else "0")

    def body(self, operands: list[str], element: str) -> str:
        """Scalar operations on block arguments, ending in a yield."""
        known, lines = list(operands), []
        for _ in range(self.draw.randint(1, 4)):
            name = next(self.names)
            lines.append(f"{name} = {self.scalar(known, element)}")
            known.append(name)
        return "\n    ".join([*lines, f"linalg.yield {known[-1]} : {element}"])

    def scalar(self, known: list[str], element: str) -> str:
        a, b = self.draw.choice(known), self.draw.choice(known)
        if element not in FLOAT_TYPES:
            return f"{self.draw.choice(_INTEGER_BINARY)} {a}, {b} : {element}"
        if self.draw.random() < 0.5:
            return f"{self.draw.choice(_FLOAT_UNARY)} {a} : {element}"
        return f"{self.draw.choice(_FLOAT_BINARY)} {a}, {b} : {element}"

    def generic(
        self,
        inputs: list[tuple[Tensor, str]],
        out: Tensor,
        out_map: str,
        rank: int,
        kinds: list[str],
        body: str,
    ) -> Tensor:
        """A `linalg.generic`; maps are written as their results, block arguments are %in0, %in1, ... and %out."""
        space = ", ".join(f"d{n}" for n in range(rank))
        maps = ", ".join(f"affine_map<({space}) -> ({m})>" for m in [*(m for _, m in inputs), out_map])
        iterators = ", ".join(f'"{kind}"' for kind in kinds)
        names = ", ".join(v.name for v, _ in inputs)
        types = ", ".join(v.type for v, _ in inputs)
        arguments = ", ".join(
            [*(f"%in{n}: {v.element}" for n, (v, _) in enumerate(inputs)), f"%out: {out.element}"]
        )
        return self.write(
            f"linalg.generic {{indexing_maps = [{maps}], iterator_types = [{iterators}]}} ins({names} : {types}) "
            f"outs({out.name} : {out.type}) {{\n  ^bb0({arguments}):\n    {body}\n  }} -> {out.type}",
            out.shape, out.element,
        )  # fmt: skip


def elementwise(w: ModuleWriter, values: list[Tensor]) -> Tensor | None:
    """A map over one value and others that are permuted or broadcast onto it."""
    x = w.draw.choice(values)
    rank = len(x.shape)
    out_order = w.draw.sample(range(rank), rank)
    inputs = [(x, ", ".join(f"d{n}" for n in range(rank)))]
    for y in values:
        if y.element == x.element and y is not x and len(inputs) < 3 and w.draw.random() < 0.5:
            places = _matching(w, y.shape, x.shape)
            if places is not None:
                inputs.append((y, ", ".join(places)))
    shape = tuple(x.shape[d] for d in out_order)
    out = w.write(f"tensor.empty() : {Tensor('', shape, x.element).type}", shape, x.element)
    names = [f"%in{n}" for n in range(len(inputs))]
    return w.generic(
        inputs,
        out,
        ", ".join(f"d{d}" for d in out_order),
        rank,
        ["parallel"] * rank,
        w.body(names, x.element),
    )


def _matching(w: ModuleWriter, shape: tuple[int, ...], space: tuple[int, ...]) -> list[str] | None:
    """An iterator of the right extent for each dimension; zero where the size is one."""
    free = list(range(len(space)))
    places = []
    for size in shape:
        fits = [d for d in free if space[d] == size]
        if size == 1 and (not fits or w.draw.random() < 0.5):
            places.append("0")
            continue
        if not fits:
            return None
        free.remove(chosen := w.draw.choice(fits))
        places.append(f"d{chosen}")
    return places


def reduction(w: ModuleWriter, values: list[Tensor]) -> Tensor | None:
    """A sum, product or extremum over some dimensions."""
    x = w.draw.choice([v for v in values if v.shape] or values)
    rank = len(x.shape)
    if not rank or x.element in ("f16", "bf16"):
        return None  # the order of narrow sums is nobody's promise
    gone = set(w.draw.sample(range(rank), w.draw.randint(1, rank)))
    shape = tuple(size for d, size in enumerate(x.shape) if d not in gone)
    combine = w.draw.choice(_REDUCTIONS[x.is_float])
    out = w.filled(shape, x.element, "1.0" if x.is_float else "1")
    kept = ", ".join(f"d{d}" for d in range(rank) if d not in gone)
    name = next(w.names)
    body = f"{name} = {combine} %in0, %out : {x.element}\n    linalg.yield {name} : {x.element}"
    kinds = ["reduction" if d in gone else "parallel" for d in range(rank)]
    return w.generic([(x, ", ".join(f"d{d}" for d in range(rank)))], out, kept, rank, kinds, body)


def product(w: ModuleWriter, values: list[Tensor]) -> Tensor | None:
    """A matrix product of a value with itself or another, operands transposed at random."""
    x = w.draw.choice([v for v in values if len(v.shape) >= 2] or [None])  # type: ignore[list-item]
    if x is None or x.element in ("f16", "bf16"):
        return None
    batch, m, k = x.shape[:-2], x.shape[-2], x.shape[-1]
    n = w.draw.choice(_SIZES)
    weights = w.filled((*batch, k, n), x.element, "0.25" if x.is_float else "3")
    rank = len(batch) + 3
    b = [f"d{i}" for i in range(len(batch))]
    i, j, l = (f"d{len(batch) + t}" for t in range(3))  # noqa: E741
    multiply, add = ("arith.mulf", "arith.addf") if x.is_float else ("arith.muli", "arith.addi")
    p, s = next(w.names), next(w.names)
    body = f"{p} = {multiply} %in0, %in1 : {x.element}\n    {s} = {add} %out, {p} : {x.element}"
    body += f"\n    linalg.yield {s} : {x.element}"
    out = w.zeros((*batch, m, n), x.element)
    kinds = ["parallel"] * (rank - 1) + ["reduction"]
    return w.generic(
        [(x, ", ".join([*b, i, l])), (weights, ", ".join([*b, l, j]))],
        out,
        ", ".join([*b, i, j]),
        rank,
        kinds,
        body,
    )


def window(w: ModuleWriter, values: list[Tensor]) -> Tensor | None:
    """The extremum or sum of a window that slides along the last dimension, with a step and a dilation."""
    x = w.draw.choice(values)
    if not x.shape or x.element in ("f16", "bf16"):
        return None
    width, step, dilation = w.draw.randint(1, 4), w.draw.randint(1, 3), w.draw.randint(1, 2)
    extent = (x.shape[-1] - (width - 1) * dilation - 1) // step + 1
    if extent < 1:
        return None
    rank = len(x.shape)
    lead = [f"d{n}" for n in range(rank - 1)]
    ones = w.filled((width,), x.element, "1.0" if x.is_float else "1")
    out = w.zeros((*x.shape[:-1], extent), x.element)
    combine = w.draw.choice(_REDUCTIONS[x.is_float][:2])
    name = next(w.names)
    body = f"{name} = {combine} %in0, %out : {x.element}\n    linalg.yield {name} : {x.element}"
    place = f"d{rank - 1} * {step} + d{rank} * {dilation}"
    return w.generic(
        [(x, ", ".join([*lead, place])), (ones, f"d{rank}")], out, ", ".join([*lead, f"d{rank - 1}"]), rank + 1,
        ["parallel"] * rank + ["reduction"], body,
    )  # fmt: skip


def slice_of(w: ModuleWriter, values: list[Tensor]) -> Tensor | None:
    """A part of a value, with steps."""
    x = w.draw.choice(values)
    starts = [w.draw.randrange(size) for size in x.shape]
    steps = [w.draw.randint(1, 2) for _ in x.shape]
    sizes = [
        w.draw.randint(1, (size - start - 1) // step + 1)
        for size, start, step in zip(x.shape, starts, steps, strict=True)
    ]
    made = Tensor("", tuple(sizes), x.element)
    return w.write(
        f"tensor.extract_slice {x.name}{starts} {sizes} {steps} : {x.type} to {made.type}",
        made.shape,
        x.element,
    )


def insertion(w: ModuleWriter, values: list[Tensor]) -> Tensor | None:
    """A value written into a larger tensor."""
    x = w.draw.choice(values)
    target = w.zeros(tuple(size + w.draw.randint(0, 2) for size in x.shape), x.element)
    starts = [w.draw.randint(0, big - small) for big, small in zip(target.shape, x.shape, strict=True)]
    where = f"{starts} {list(x.shape)} {[1] * len(x.shape)}"
    text = f"tensor.insert_slice {x.name} into {target.name}{where} : {x.type} into {target.type}"
    return w.write(text, target.shape, x.element)


def flattened(w: ModuleWriter, values: list[Tensor]) -> Tensor | None:
    """All dimensions as one, or one more dimension of size one."""
    x = w.draw.choice(values)
    rank = len(x.shape)
    if rank < 2:
        return None
    total = 1
    for size in x.shape:
        total *= size
    made = Tensor("", (total,), x.element)
    group = ", ".join(str(d) for d in range(rank))
    return w.write(
        f"tensor.collapse_shape {x.name} [[{group}]] : {x.type} into {made.type}", made.shape, x.element
    )


def padded(w: ModuleWriter, values: list[Tensor]) -> Tensor | None:
    """A value with a border of one number."""
    x = w.draw.choice(values)
    low = [w.draw.randint(0, 2) for _ in x.shape]
    high = [w.draw.randint(0, 2) for _ in x.shape]
    shape = tuple(a + size + b for a, size, b in zip(low, x.shape, high, strict=True))
    if not shape:
        return None
    constant = next(w.names)
    w.lines.append(f"{constant} = arith.constant {'0.5' if x.is_float else '7'} : {x.element}")
    indices = ", ".join(f"%i{d}: index" for d in range(len(shape)))
    text = f"tensor.pad {x.name} low{low} high{high} {{\n  ^bb0({indices}):\n    tensor.yield {constant} : {x.element}"
    return w.write(f"{text}\n  }} : {x.type} to {Tensor('', shape, x.element).type}", shape, x.element)


def loop(w: ModuleWriter, values: list[Tensor]) -> Tensor | None:
    """A loop that carries a value."""
    x = w.draw.choice(values)
    low, high, step = (next(w.names) for _ in range(3))
    w.lines += [
        f"{low} = arith.constant 0 : index", f"{high} = arith.constant {w.draw.randint(0, 4)} : index",
        f"{step} = arith.constant {w.draw.randint(1, 2)} : index",
    ]  # fmt: skip
    carried = Tensor(next(w.names), x.shape, x.element)
    outer, w.lines = w.lines, []
    made = elementwise(w, [carried])
    inner, w.lines = w.lines, outer
    if made is None or made.shape != x.shape:
        return None
    body = "\n    ".join([*inner, f"scf.yield {made.name} : {x.type}"])
    header = f"scf.for {next(w.names)} = {low} to {high} step {step} iter_args({carried.name} = {x.name})"
    return w.write(f"{header} -> ({x.type}) {{\n    {body}\n  }}", x.shape, x.element)


STEPS = (
    elementwise,
    elementwise,
    elementwise,
    reduction,
    product,
    window,
    slice_of,
    insertion,
    flattened,
    padded,
    loop,
)


def draw_module(seed: int) -> str:
    """The text of a module with a function `@main` on tensors."""
    return ModuleWriter(seed).text()
