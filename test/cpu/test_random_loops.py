"""Random `linalg.generic`s on buffers: `wse-vectorize` against the scalar loops that upstream makes.

Nothing is read or written beyond the buffers."""

import re
from dataclasses import dataclass

import numpy as np
import pytest
from guarded_memory import guarded
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wse_mlir.dialects.context import create_context
from wse_mlir.dialects.host import ir
from wse_mlir.passes.infra.pass_manager import run_pipeline
from wse_mlir.pipelines.named import named_pipeline
from wse_mlir.runtime.cpu.jit import compile_function

SIZES = [1, 2, 3, 5, 8, 16, 19, 35]
COMBINERS = ["addf", "maximumf", "minimumf", "mulf"]


@dataclass(frozen=True)
class Case:
    """A function `@main(inputs..., outputs...)` on f32 buffers; `written` are positions of the outputs."""

    text: str
    shapes: list[tuple[int, ...]]
    written: list[int]


@st.composite
def cases(draw: st.DrawFn, dynamic: bool) -> Case:
    parallel, reductions = draw(st.integers(1, 3)), draw(st.integers(0, 2))
    loops = parallel + reductions
    sizes = [draw(st.sampled_from(SIZES if d in (0, loops - 1) else SIZES[:5])) for d in range(loops)]
    plain = [([f"d{d}" for d in draw(st.permutations(range(loops)))], 0)]
    inputs = [*plain, *[(draw(_results(loops)), 0) for _ in range(draw(st.integers(0, 2)))]]
    outputs = [draw(st.permutations(range(parallel))) for _ in range(draw(st.integers(1, 2)))]
    accesses = [results for results, _ in inputs] + [[f"d{d}" for d in order] for order in outputs]
    shapes = [tuple(_extent(e, sizes) for e in results) for results in accesses]
    kinds = ["memref<" + "".join(f"{'?' if dynamic else s}x" for s in shape) + "f32>" for shape in shapes]
    dims = ", ".join(f"d{d}" for d in range(loops))
    maps = ", ".join(f"affine_map<({dims}) -> ({', '.join(results)})>" for results in accesses)
    iterators = ", ".join(['"parallel"'] * parallel + ['"reduction"'] * reductions)
    count, names = len(inputs), [f"%a{k}" for k in range(len(accesses))]
    ins = f"{', '.join(names[:count])} : {', '.join(kinds[:count])}"
    outs = f"{', '.join(names[count:])} : {', '.join(kinds[count:])}"
    arguments = ", ".join(f"{n}: {k}" for n, k in zip(names, kinds, strict=True))
    text = f"""
func.func @main({arguments}) attributes {{llvm.emit_c_interface}} {{
  linalg.generic {{indexing_maps = [{maps}], iterator_types = [{iterators}]}} ins({ins}) outs({outs}) {{
  ^bb0({", ".join(f"%s{k}: f32" for k in range(len(accesses)))}):
{draw(_body(count, len(outputs), loops, bool(reductions)))}
  }}
  return
}}"""
    return Case(text, shapes, list(range(count, len(accesses))))


@st.composite
def _results(draw: st.DrawFn, loops: int) -> list[str]:
    """Subscripts of an input: loops in any order and number, windows, strides, constants."""
    dim = st.integers(0, loops - 1).map(lambda d: f"d{d}")
    window = st.tuples(dim, dim, st.integers(1, 2)).map(lambda t: f"{t[0]} * {t[2]} + {t[1]}")
    return draw(st.lists(st.one_of(dim, dim, window, st.just("0")), max_size=3))


def _extent(expr: str, sizes: list[int]) -> int:
    last = re.sub(r"d(\d+)", lambda m: str(sizes[int(m.group(1))] - 1), expr)
    return eval(last) + 1


@st.composite
def _body(draw: st.DrawFn, inputs: int, outputs: int, loops: int, reduces: bool) -> str:
    lines, values = [], [f"%s{k}" for k in range(inputs)]
    for k in range(draw(st.integers(0, 3))):
        kind = draw(st.sampled_from(["addf", "mulf", "subf", "select", "index"]))
        left, right = draw(st.sampled_from(values)), draw(st.sampled_from(values))
        if kind == "index":
            lines += [
                f"%i{k} = linalg.index {draw(st.integers(0, loops - 1))} : index",
                f"%j{k} = arith.index_cast %i{k} : index to i32",
                f"%v{k} = arith.sitofp %j{k} : i32 to f32",
            ]
        elif kind == "select":
            lines += [
                f"%c{k} = arith.cmpf olt, {left}, {right} : f32",
                f"%v{k} = arith.select %c{k}, {left}, {right} : f32",
            ]
        else:
            lines.append(f"%v{k} = arith.{kind} {left}, {right} : f32")
        values.append(f"%v{k}")
    yields = [draw(st.sampled_from(values)) for _ in range(outputs)]
    if reduces:
        for k in range(outputs):
            combiner = draw(st.sampled_from(COMBINERS[: 3 if k or len(values) > 1 else 4]))
            lines.append(f"%r{k} = arith.{combiner} %s{inputs + k}, {yields[k]} : f32")
        yields = [f"%r{k}" for k in range(outputs)]
    lines.append(f"linalg.yield {', '.join(yields)} : {', '.join(['f32'] * outputs)}")
    return "\n".join(f"    {line}" for line in lines)


def run(case: Case, stages: str) -> list[np.ndarray]:
    generator = np.random.default_rng(0)
    arrays = [generator.integers(-2, 3, shape).astype(np.float32) for shape in case.shapes]
    lowering = named_pipeline("cpu").stages[-1].text
    with create_context():
        module = ir.Module.parse(case.text)
        run_pipeline(module, f"builtin.module({stages},canonicalize,cse,{lowering})")
        function = compile_function(module, "main", [len(shape) for shape in case.shapes])
    arrays = [guarded(a) for a in arrays]
    function(list(enumerate(arrays)))
    return [a.copy() for a in arrays]


@pytest.mark.parametrize("dynamic", [False, True])
@settings(max_examples=20, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_vectors_and_scalar_loops_agree(dynamic: bool, data: st.DataObject) -> None:
    case = data.draw(cases(dynamic))
    expected = run(case, "func.func(convert-linalg-to-loops)")
    for bits in (512, 256, 128):
        stages = f"func.func(wse-vectorize{{vector-bits={bits}}},convert-linalg-to-loops)"
        for position, (a, b) in enumerate(zip(run(case, stages), expected, strict=True)):
            if position in case.written:
                np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)
            else:
                np.testing.assert_array_equal(a, b)
