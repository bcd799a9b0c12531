"""Random programs on tensors that provoke aliasing, with their meaning in NumPy's value semantics."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

FULL, HALF = "tensor<4x6xi32>", "tensor<2x6xi32>"
Env = dict[str, object]
Step = Callable[[Env], None]


@dataclass
class Program:
    """Grows statement by statement; each has its text and what it does to the environment of NumPy arrays."""

    rng: random.Random
    count: int = 0
    depth: int = 0
    lines: list[str] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    visible: dict[str, list[str]] = field(default_factory=lambda: {FULL: ["a", "b", "s"], HALF: []})

    def name(self) -> str:
        self.count += 1
        return f"v{self.count}"

    def pick(self, kind: str) -> str:
        # Recent values are likelier, so that old ones stay alive and are sometimes read late.
        names = self.visible[kind]
        return names[max(self.rng.randrange(len(names)), self.rng.randrange(len(names)))]

    def define(self, kind: str, result: str, text: str, value: Callable[[Env], object]) -> None:
        self.lines.append(f"%{result} = {text}")
        self.visible[kind].append(result)
        self.steps.append(lambda env: env.__setitem__(result, value(env)))

    # -- statements

    def statement(self) -> None:
        kinds = [self.elementwise, self.accumulate, self.fill, self.extract, self.insert, self.element]
        kinds += [self.broadcast_row, self.reshaped, self.overwrite]
        if self.depth < 2:
            kinds += [self.loop, self.branch, self.parallel]
        self.rng.choice(kinds)()

    def kind(self) -> str:
        return self.rng.choice([FULL, FULL, HALF]) if self.visible[HALF] else FULL

    def generic(self, result: str, kind: str, inputs: list[str], init: str, reads: bool) -> str:
        identity = "affine_map<(d0, d1) -> (d0, d1)>"
        maps = ", ".join([identity] * (len(inputs) + 1))
        arguments = ", ".join([*(f"%i{k}: i32" for k in range(len(inputs))), "%o: i32"])
        ins = ", ".join(f"%{v}" for v in inputs)
        types = ", ".join([kind] * len(inputs))
        last = "%o" if reads else "%i0"
        return (
            f"linalg.generic {{indexing_maps = [{maps}], iterator_types = [\"parallel\", \"parallel\"]}} "
            f"ins({ins} : {types}) outs(%{init} : {kind}) {{ ^bb0({arguments}): "
            f"%x = arith.addi %i0, %i{len(inputs) - 1} : i32 %y = arith.addi %x, {last} : i32 "
            f"linalg.yield %y : i32 }} -> {kind}"
        )  # fmt: skip

    def elementwise(self) -> None:
        kind = self.kind()
        a, b, empty, result = self.pick(kind), self.pick(kind), self.name(), self.name()
        self.lines.append(f"%{empty} = tensor.empty() : {kind}")
        text = self.generic(result, kind, [a, b], empty, False)
        self.define(kind, result, text, lambda env: env[a] + env[b] + env[a])

    def overwrite(self) -> None:
        kind = self.kind()
        a, b, init, result = self.pick(kind), self.pick(kind), self.pick(kind), self.name()
        text = self.generic(result, kind, [a, b], init, False)
        self.define(kind, result, text, lambda env: env[a] + env[b] + env[a])

    def accumulate(self) -> None:
        kind = self.kind()
        a, init, result = self.pick(kind), self.pick(kind), self.name()
        text = self.generic(result, kind, [a], init, True)
        self.define(kind, result, text, lambda env: 2 * env[a] + env[init])

    def fill(self) -> None:
        kind = self.kind()
        init, result = self.pick(kind), self.name()
        text = f"linalg.fill ins(%seven : i32) outs(%{init} : {kind}) -> {kind}"
        self.define(kind, result, text, lambda env: np.full_like(env[init], 7))

    def offset(self) -> tuple[str, Callable[[Env], int]]:
        if self.depth and self.rng.random() < 0.6 and "iv" in self.visible:
            iv = self.rng.choice(self.visible["iv"])
            return f"%{iv}", lambda env: int(env[iv])
        number = self.rng.randrange(3)
        return str(number), lambda env: number

    def extract(self) -> None:
        source, result = self.pick(FULL), self.name()
        text, at = self.offset()
        self.define(
            HALF, result, f"tensor.extract_slice %{source}[{text}, 0] [2, 6] [1, 1] : {FULL} to {HALF}",
            lambda env: env[source][at(env) : at(env) + 2].copy(),
        )  # fmt: skip

    def insert(self) -> None:
        if not self.visible[HALF]:
            self.extract()
        part, target, result = self.pick(HALF), self.pick(FULL), self.name()
        text, at = self.offset()

        def value(env: Env) -> object:
            whole = env[target].copy()
            whole[at(env) : at(env) + 2] = env[part]
            return whole

        self.define(
            FULL, result, f"tensor.insert_slice %{part} into %{target}[{text}, 0] [2, 6] [1, 1] : {HALF} into {FULL}",
            value,
        )  # fmt: skip

    def element(self) -> None:
        target, source, scalar, result = self.pick(FULL), self.pick(FULL), self.name(), self.name()
        self.lines.append(f"%{scalar} = tensor.extract %{source}[%c1, %c2] : {FULL}")

        def value(env: Env) -> object:
            whole = env[target].copy()
            whole[2, 1] = env[source][1, 2]
            return whole

        self.define(FULL, result, f"tensor.insert %{scalar} into %{target}[%c2, %c1] : {FULL}", value)

    def broadcast_row(self) -> None:
        source, init, row, result = self.pick(FULL), self.pick(FULL), self.name(), self.name()
        self.lines.append(
            f"%{row} = tensor.extract_slice %{source}[1, 0] [1, 6] [1, 1] : {FULL} to tensor<6xi32>"
        )
        text = (
            "linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d1)>, affine_map<(d0, d1) -> (d0, d1)>], "
            f'iterator_types = ["parallel", "parallel"]}} ins(%{row} : tensor<6xi32>) outs(%{init} : {FULL}) '
            "{ ^bb0(%i: i32, %o: i32): %x = arith.addi %i, %o : i32 linalg.yield %x : i32 } "
            f"-> {FULL}"
        )
        self.define(FULL, result, text, lambda env: env[source][1] + env[init])

    def reshaped(self) -> None:
        source, flat, sum_, result = self.pick(FULL), self.name(), self.name(), self.name()
        self.lines.append(f"%{flat} = tensor.collapse_shape %{source} [[0, 1]] : {FULL} into tensor<24xi32>")
        self.lines.append(
            f"%{sum_} = linalg.add ins(%{flat}, %{flat} : tensor<24xi32>, tensor<24xi32>) "
            f"outs(%{flat} : tensor<24xi32>) -> tensor<24xi32>"
        )
        text = f"tensor.expand_shape %{sum_} [[0, 1]] output_shape [4, 6] : tensor<24xi32> into {FULL}"
        self.define(FULL, result, text, lambda env: 2 * env[source])

    # -- regions

    def nested(self, arguments: dict[str, str], body: Callable[["Program"], None]) -> "Program":
        inner = Program(self.rng, self.count, self.depth + 1)
        inner.visible = {kind: list(names) for kind, names in self.visible.items()}
        for name, kind in arguments.items():
            inner.visible.setdefault(kind, []).append(name)
        body(inner)
        self.count = inner.count
        return inner

    def some(self, inner: "Program") -> None:
        for _ in range(inner.rng.randint(1, 3)):
            inner.statement()

    def loop(self) -> None:
        carried = self.rng.randint(1, 2)
        inits = [self.pick(FULL) for _ in range(carried)]
        iv, args, result = self.name(), [self.name() for _ in range(carried)], self.name()
        inner = self.nested({iv: "iv", **dict.fromkeys(args, FULL)}, self.some)
        yields = [inner.pick(FULL) for _ in range(carried)]
        types = ", ".join([FULL] * carried)
        bound = ", ".join(f"%{a} = %{i}" for a, i in zip(args, inits, strict=True))
        self.lines.append(
            f"%{result}:{carried} = scf.for %{iv} = %c0 to %c3 step %c1 iter_args({bound}) -> ({types}) {{"
        )
        self.lines += [*inner.lines, f"scf.yield {', '.join('%' + y for y in yields)} : {types} }}"]

        def run(env: Env) -> None:
            state = [env[i] for i in inits]
            for k in range(3):
                scope = {**env, iv: k, **dict(zip(args, state, strict=True))}
                for step in inner.steps:
                    step(scope)
                state = [scope[y] for y in yields]
            for k in range(carried):
                env[f"{result}#{k}"] = state[k]

        self.steps.append(run)
        self.visible[FULL] += [f"{result}#{k}" for k in range(carried)]

    def branch(self) -> None:
        result = self.name()
        sides = [self.nested({}, self.some) for _ in range(2)]
        yields = [side.pick(FULL) for side in sides]
        self.lines.append(f"%{result} = scf.if %flag -> {FULL} {{")
        for number, side in enumerate(sides):
            self.lines += [
                *side.lines,
                f"scf.yield %{yields[number]} : {FULL}",
                "} else {" if number == 0 else "}",
            ]

        def run(env: Env) -> None:
            side = 0 if env["flag"] else 1
            scope = dict(env)
            for step in sides[side].steps:
                step(scope)
            env[result] = scope[yields[side]]

        self.steps.append(run)
        self.visible[FULL].append(result)

    def parallel(self) -> None:
        outs = self.rng.randint(1, 2)
        inits = [self.pick(FULL) for _ in range(outs)]
        shared, parts = [self.name() for _ in inits], [self.name() for _ in inits]
        result, t, off = self.name(), self.name(), self.name()
        careful = self.rng.random() < 0.7  # the body reads only its own slices of the shared outputs

        def body(inner: "Program") -> None:
            for part, whole in zip(parts, shared, strict=True):
                text = f"tensor.extract_slice %{whole}[%{off}, 0] [2, 6] [1, 1] : {FULL} to {HALF}"
                inner.define(HALF, part, text, lambda env, w=whole: env[w][env[off] : env[off] + 2].copy())
            self.some(inner)

        inner = self.nested(
            {off: "never"} if careful else {off: "never", **dict.fromkeys(shared, FULL)}, body
        )
        yields = [inner.pick(HALF) for _ in range(outs)]
        types = ", ".join([FULL] * outs)
        bound = ", ".join(f"%{a} = %{i}" for a, i in zip(shared, inits, strict=True))
        name = result if outs == 1 else f"{result}:{outs}"
        self.lines += [
            f"%{name} = scf.forall (%{t}) in (2) shared_outs({bound}) -> ({types}) {{",
            f"%{off} = arith.muli %{t}, %c2 : index",
            *inner.lines,
            "scf.forall.in_parallel {",
            *(
                f"tensor.parallel_insert_slice %{y} into %{w}[%{off}, 0] [2, 6] [1, 1] : {HALF} into {FULL}"
                for y, w in zip(yields, shared, strict=True)
            ),
            "} }",
        ]
        names = [result] if outs == 1 else [f"{result}#{k}" for k in range(outs)]

        def run(env: Env) -> None:
            final = [env[i].copy() for i in inits]
            for k in (0, 2):
                scope = {**env, off: k, **{w: env[i] for w, i in zip(shared, inits, strict=True)}}
                for step in inner.steps:
                    step(scope)
                for whole, y in zip(final, yields, strict=True):
                    whole[k : k + 2] = scope[y]
            env.update(zip(names, final, strict=True))

        self.steps.append(run)
        self.visible[FULL] += names

    # -- the whole

    def text(self, results: list[str]) -> str:
        state = '{wse.kind = "state", wse.name = "s"}'
        body = "\n".join(self.lines)
        return f"""
        func.func @main(%a: {FULL}, %b: {FULL}, %s: {FULL} {state}, %mode: tensor<i1>)
            -> ({FULL}, {FULL}, {FULL} {state}) {{
          %c0 = arith.constant 0 : index  %c1 = arith.constant 1 : index
          %c2 = arith.constant 2 : index  %c3 = arith.constant 3 : index
          %seven = arith.constant 7 : i32
          %flag = tensor.extract %mode[] : tensor<i1>
          {body}
          return %{results[0]}, %{results[1]}, %{results[2]} : {FULL}, {FULL}, {FULL}
        }}"""


def random_program(seed: int, length: int) -> tuple[str, Callable[[Env], list[np.ndarray]]]:
    """A module's text and the function that computes its two results and new state from `a b s flag`."""
    program = Program(random.Random(seed))
    for _ in range(length):
        program.statement()
    results = [program.pick(FULL) for _ in range(3)]

    def evaluate(env: Env) -> list[np.ndarray]:
        env = dict(env)
        for step in program.steps:
            step(env)
        return [env[r] for r in results]

    return program.text(results), evaluate
