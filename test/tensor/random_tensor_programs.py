"""Hypothesis strategies for random programs of `linalg.generic` on small tensors, as MLIR text."""

from dataclasses import dataclass, field

from hypothesis import strategies as st

Shape = tuple[int, ...]


@dataclass
class Program:
    """Text under construction; `tensors` are the values made so far with their shapes."""

    arguments: list[Shape]
    lines: list[str] = field(default_factory=list)
    tensors: list[tuple[str, Shape]] = field(default_factory=list)
    count: int = 0

    def name(self) -> str:
        self.count += 1
        return f"%v{self.count}"

    def empty(self, shape: Shape) -> str:
        name = self.name()
        self.lines.append(f"{name} = tensor.empty() : {tensor_type(shape)}")
        return name

    def fill(self, shape: Shape, value: str) -> str:
        scalar, name, empty = self.name(), self.name(), self.empty(shape)
        self.lines.append(f"{scalar} = arith.constant {value} : f32")
        kind = tensor_type(shape)
        self.lines.append(f"{name} = linalg.fill ins({scalar} : f32) outs({empty} : {kind}) -> {kind}")
        return name

    def text(self, returned: list[tuple[str, Shape]]) -> str:
        arguments = ", ".join(f"%a{k}: {tensor_type(s)}" for k, s in enumerate(self.arguments))
        types = ", ".join(tensor_type(s) for _, s in returned)
        names = ", ".join(n for n, _ in returned)
        body = "\n  ".join(self.lines)
        return f"func.func @main({arguments}) -> ({types}) {{\n  {body}\n  return {names} : {types}\n}}"


def tensor_type(shape: Shape) -> str:
    return "tensor<" + "".join(f"{s}x" for s in shape) + "f32>"


def _map(loops: int, results: list[str]) -> str:
    return f"affine_map<({', '.join(f'd{d}' for d in range(loops))}) -> ({', '.join(results)})>"


@st.composite
def _access(draw: st.DrawFn, shape: Shape, sizes: list[int]) -> list[str]:
    """How a tensor is read from loops of these sizes: any loop of the same size, or a constant."""
    exprs = []
    for size in shape:
        fitting = [f"d{d}" for d, s in enumerate(sizes) if s == size]
        exprs.append(draw(st.sampled_from([*fitting, *fitting, str(size - 1)])))
    return exprs


@st.composite
def _body(draw: st.DrawFn, program: Program, scalars: list[str], loops: int) -> str:
    """A chain of scalar operations; returns the last value's name after appending to the program."""
    values = list(scalars)
    for _ in range(draw(st.integers(0 if values else 1, 3))):
        name = program.name()
        kind = draw(st.sampled_from(["addf", "subf", "mulf", "maximumf", "exp", "abs", "index", "constant"]))
        if kind == "index" and loops:
            raw, cast = program.name(), program.name()
            program.lines.append(f"{raw} = linalg.index {draw(st.integers(0, loops - 1))} : index")
            program.lines.append(f"{cast} = arith.index_cast {raw} : index to i64")
            program.lines.append(f"{name} = arith.sitofp {cast} : i64 to f32")
        elif kind == "constant" or not values:
            program.lines.append(f"{name} = arith.constant {draw(st.integers(-3, 3))}.5 : f32")
        elif kind in ("exp", "abs", "index"):
            operation = "exp" if kind == "exp" else "absf"
            program.lines.append(f"{name} = math.{operation} {draw(st.sampled_from(values))} : f32")
        else:
            left, right = draw(st.sampled_from(values)), draw(st.sampled_from(values))
            program.lines.append(f"{name} = arith.{kind} {left}, {right} : f32")
        values.append(name)
    return draw(st.sampled_from([values[-1], values[-1], values[-1], values[0]]))


@st.composite
def _generic(draw: st.DrawFn, program: Program) -> None:
    """Elementwise, reducing or contracting: parallel loops first, any permutation of them as output."""
    parallel = draw(st.integers(0, 3))
    reductions = draw(st.sampled_from([0, 0, 0, 1, 2]))
    sizes = [draw(st.sampled_from([1, 2, 3])) for _ in range(parallel + reductions)]
    inputs = draw(st.lists(st.sampled_from(program.tensors), max_size=3))
    aligned = draw(st.integers(0, 3)) > 0
    if aligned:  # loops over a tensor made lately, so that chains with several users come about
        inputs.insert(0, draw(st.sampled_from(program.tensors[-2:])))
        sizes = list(inputs[0][1])
        parallel = max(0, len(sizes) - reductions)
        reductions = len(sizes) - parallel
    loops = len(sizes)
    results = draw(st.integers(1, 2)) if not reductions else 1
    accesses = [draw(_access(shape, sizes)) for _, shape in inputs]
    if aligned:
        accesses[0] = [f"d{d}" for d in range(loops)]
    orders = [draw(st.permutations(range(parallel))) for _ in range(results)]
    shapes = [tuple(sizes[d] for d in order) for order in orders]
    named = {e for access in accesses for e in access} | {f"d{d}" for order in orders for d in order}
    for d in range(loops):
        if f"d{d}" not in named:  # linalg needs an operand for every trip count
            inputs.append((program.fill((sizes[d],), "0.25"), (sizes[d],)))
            accesses.append([f"d{d}"])
    inits = []
    for shape in shapes:
        fits = [n for n, s in program.tensors if s == shape]
        kinds = ["fill", *(["tensor"] if fits else []), *(["empty"] * 3 if not reductions else [])]
        kind = draw(st.sampled_from(kinds))
        empty = kind == "empty"
        init = program.empty(shape) if empty else program.fill(shape, "1.5")
        inits.append((draw(st.sampled_from(fits)) if kind == "tensor" else init, empty))
    maps = [_map(loops, a) for a in accesses] + [_map(loops, [f"d{d}" for d in o]) for o in orders]
    iterators = ['"parallel"'] * parallel + ['"reduction"'] * reductions
    name = program.name()
    types = [tensor_type(s) for s in shapes]
    ins = ", ".join(n for n, _ in inputs), ", ".join(tensor_type(s) for _, s in inputs)
    outs = ", ".join(n for n, _ in inits), ", ".join(types)
    head = f"ins({ins[0]} : {ins[1]})" if inputs else ""
    count = f":{results}" if results > 1 else ""
    program.lines.append(
        f"{name}{count} = linalg.generic {{indexing_maps = [{', '.join(maps)}], "
        f"iterator_types = [{', '.join(iterators)}]}} {head} outs({outs[0]} : {outs[1]}) {{"
    )
    scalars = [program.name() for _ in inputs]
    out_scalars = [program.name() for _ in inits]
    program.lines.append(f"^bb0({', '.join(f'{s}: f32' for s in (*scalars, *out_scalars))}):")
    readable = scalars + [s for s, (_, empty) in zip(out_scalars, inits, strict=True) if not empty]
    yields = [draw(_body(program, readable, loops)) for _ in inits]
    if reductions:
        total = program.name()
        program.lines.append(f"{total} = arith.addf {out_scalars[0]}, {yields[0]} : f32")
        yields = [total]
    program.lines.append(f"linalg.yield {', '.join(yields)} : {', '.join(['f32'] * len(yields))}")
    program.lines.append("} -> " + (types[0] if results == 1 else f"({', '.join(types)})"))
    for k, shape in enumerate(shapes):
        program.tensors.append((f"{name}#{k}" if results > 1 else name, shape))


@st.composite
def _reshape(draw: st.DrawFn, program: Program) -> None:
    """Merges the first two dimensions of a tensor, splits the first one, or splits a unit dimension off."""
    source, shape = draw(st.sampled_from(program.tensors[-2:]))
    name = program.name()
    factors = {4: (2, 2), 6: (2, 3), 9: (3, 3)}
    if shape and shape[0] in factors:
        target = (*factors[shape[0]], *shape[1:])
        groups = [[0, 1], *([d + 1] for d in range(1, len(shape)))]
        program.lines.append(
            f"{name} = tensor.expand_shape {source} {groups} output_shape {list(target)} : "
            f"{tensor_type(shape)} into {tensor_type(target)}"
        )
    elif len(shape) >= 2 and draw(st.booleans()):
        target = (shape[0] * shape[1], *shape[2:])
        groups = [[0, 1], *([d] for d in range(2, len(shape)))]
        program.lines.append(
            f"{name} = tensor.collapse_shape {source} {groups} : {tensor_type(shape)} into {tensor_type(target)}"
        )
    elif shape:
        target = (1, *shape) if draw(st.booleans()) else (shape[0], 1, *shape[1:])
        groups = [[0, 1], *([d + 1] for d in range(1, len(shape)))]
        program.lines.append(
            f"{name} = tensor.expand_shape {source} {groups} output_shape {list(target)} : "
            f"{tensor_type(shape)} into {tensor_type(target)}"
        )
    else:
        return
    if len(target) <= 4:
        program.tensors.append((name, target))


@st.composite
def programs(draw: st.DrawFn) -> tuple[str, list[Shape]]:
    """Text of a function `@main` on f32 tensors, and the shapes of its arguments."""
    shapes = [draw(st.lists(st.sampled_from([1, 2, 3, 4]), max_size=3).map(tuple)) for _ in range(3)]
    program = Program(shapes)
    program.tensors = [(f"%a{k}", s) for k, s in enumerate(shapes)]
    for _ in range(draw(st.integers(3, 9))):
        draw(_generic(program) if draw(st.integers(0, 4)) else _reshape(program))
    body = " ".join(program.lines)
    unused = [
        (n, s) for n, s in program.tensors if body.count(f"{n} ") + body.count(f"{n},") <= 1 or "#" in n
    ]
    returned = [program.tensors[-1], draw(st.sampled_from(program.tensors)), *unused]
    return program.text(returned), shapes
