"""Modules drawn at random: functions that call each other, loops, conditionals, bodies of linalg.generic."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

from hypothesis import strategies as st

UNARY = ("math.exp", "math.tanh", "arith.negf")
BINARY = ("arith.addf", "arith.mulf", "arith.maximumf")
_ARGUMENTS = "%x: {0}, %y: {0}, %condition: i1, %lower: index, %upper: index, %step: index"
_PASSED = "%condition, %lower, %upper, %step) : ({0}, {0}, i1, index, index, index) -> {0}"


class _Writer:
    """Writes operations whose operands are drawn from the values that are there already."""

    def __init__(self, draw: st.DrawFn, value_type: str, callees: list[str], names: Iterator[str]) -> None:
        self.draw = draw
        self.type = value_type
        self.callees = callees
        self.names = names
        self.lines: list[str] = []

    def operations(self, values: list[str], depth: int) -> str:
        """Writes some operations and returns one of all the values."""
        values = list(values)
        for _ in range(self.draw(st.integers(1, 4))):
            values.append(self.draw(st.sampled_from(self.kinds(depth)))(values, depth))
        return self.pick(values)

    def kinds(self, depth: int) -> list[Callable[[list[str], int], str]]:
        flat = [self.unary, self.binary, self.constant]
        if self.type == "f32" or depth > 1:
            return flat
        return [*flat, self.loop, self.conditional, self.linalg, *([self.call] if self.callees else [])]

    def pick(self, values: list[str]) -> str:
        return self.draw(st.sampled_from(values))

    def write(self, text: str) -> str:
        name = next(self.names)
        self.lines.append(f"{name} = {text}")
        return name

    def unary(self, values: list[str], depth: int) -> str:
        return self.write(f"{self.draw(st.sampled_from(UNARY))} {self.pick(values)} : {self.type}")

    def binary(self, values: list[str], depth: int) -> str:
        name = self.draw(st.sampled_from(BINARY))
        return self.write(f"{name} {self.pick(values)}, {self.pick(values)} : {self.type}")

    def constant(self, values: list[str], depth: int) -> str:
        number = self.draw(st.integers(0, 9))
        return self.write(f"arith.constant {number}.0 : f32" if self.type == "f32" else
                          f"arith.constant dense<{number}.0> : {self.type}")  # fmt: skip

    def call(self, values: list[str], depth: int) -> str:
        callee = self.draw(st.sampled_from(self.callees))
        passed = _PASSED.format(self.type)
        return self.write(f"func.call @{callee}({self.pick(values)}, {self.pick(values)}, {passed}")

    def loop(self, values: list[str], depth: int) -> str:
        index, carried = next(self.names), next(self.names)
        name = self.write(
            f"scf.for {index} = %lower to %upper step %step "
            f"iter_args({carried} = {self.pick(values)}) -> ({self.type}) {{"
        )
        return self.close(name, [*values, carried], depth)

    def conditional(self, values: list[str], depth: int) -> str:
        name = self.write(f"scf.if %condition -> ({self.type}) {{")
        self.lines.append(f"scf.yield {self.operations(values, depth + 1)} : {self.type}\n}} else {{")
        return self.close(name, values, depth)

    def close(self, name: str, values: list[str], depth: int) -> str:
        self.lines.append(f"scf.yield {self.operations(values, depth + 1)} : {self.type}\n}}")
        return name

    def linalg(self, values: list[str], depth: int) -> str:
        inner = _Writer(self.draw, "f32", [], self.names)
        elements = [next(self.names) for _ in range(3)]
        last = inner.operations(elements, depth + 1)
        arguments = ", ".join(f"{element}: f32" for element in elements)
        body = "\n".join([f"^bb0({arguments}):", *inner.lines, f"linalg.yield {last} : f32"])
        return self.write(
            'linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} '
            f"ins({self.pick(values)}, {self.pick(values)} : {self.type}, {self.type}) "
            f"outs({self.pick(values)} : {self.type}) {{\n{body}\n}} -> {self.type}"
        )


@st.composite
def modules(draw: st.DrawFn) -> str:
    """Text of a module with one to three functions on tensors of one type."""
    size = draw(st.sampled_from((4, 6, 64)))
    value_type = f"tensor<{size}xf32>"
    names = (f"%v{number}" for number in itertools.count())
    functions: list[str] = []
    text = "#id = affine_map<(d0) -> (d0)>\n"
    for number in range(draw(st.integers(1, 3))):
        writer = _Writer(draw, value_type, functions, names)
        returned = writer.operations(["%x", "%y"], 0)
        body = "\n".join(writer.lines)
        functions = [*functions, f"f{number}"]
        text += (
            f"func.func @f{number}({_ARGUMENTS.format(value_type)}) -> {value_type} {{\n{body}\n"
            f"return {returned} : {value_type}\n}}\n"
        )
    return text
