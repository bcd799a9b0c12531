"""wse-fuse moves reshapes out of elementwise chains: same results, one operation where the reshapes cancel."""

import numpy as np
import pytest
from linalg_reference import run_function

from wse_mlir.dialects.context import create_context
from wse_mlir.dialects.host import ir
from wse_mlir.passes.infra.pass_base import PassRun
from wse_mlir.passes.tensor.fuse.wse_fuse import Fuse

FLAT, SPLIT = "tensor<6x4xf32>", "tensor<2x3x4xf32>"
GROUPS = "[[0, 1], [2]]"


def _generic(name: str, sources: list[tuple[str, str, str]], rank: int, kind: str, body: str) -> str:
    loops = ", ".join(f"d{d}" for d in range(rank))
    maps = ", ".join(f"affine_map<({loops}) -> ({dims})>" for _, dims, _ in [*sources, ("", loops, "")])
    iterators = ", ".join(['"parallel"'] * rank)
    names, types = ", ".join(n for n, _, _ in sources), ", ".join(t for _, _, t in sources)
    arguments = ", ".join([*(f"%i{k}: f32" for k in range(len(sources))), "%o: f32"])
    return (
        f"%{name}_init = tensor.empty() : {kind}\n"
        f"%{name} = linalg.generic {{indexing_maps = [{maps}], iterator_types = [{iterators}]}} "
        f"ins({names} : {types}) outs(%{name}_init : {kind}) {{\n^bb0({arguments}):\n{body}\n"
        f"linalg.yield %y : f32\n}} -> {kind}\n"
    )


def _program(other: tuple[str, str], split_first: bool, back: bool) -> str:
    """exp on one shape, a reshape, an addition of `other` (access, type) on the other shape, and back or not."""
    outer, inner = (SPLIT, FLAT) if split_first else (FLAT, SPLIT)
    down, up = ("collapse", "expand") if split_first else ("expand", "collapse")
    rank = 3 if split_first else 2
    sizes = {
        "expand": lambda kind: " output_shape [2, 3, 4]" if kind == SPLIT else "",
        "collapse": lambda kind: "",
    }
    loops = {2: "d0, d1", 3: "d0, d1, d2"}
    access, kind = other
    result = outer if back else inner
    text = f"func.func @main(%x: {outer}, %other: {kind}) -> {result} {{\n"
    text += _generic("p", [("%x", loops[rank], outer)], rank, outer, "%y = math.exp %i0 : f32")
    text += f"%r = tensor.{down}_shape %p {GROUPS}{sizes[down](inner)} : {outer} into {inner}\n"
    sources = [("%r", loops[5 - rank], inner), ("%other", access, kind)]
    text += _generic("c", sources, 5 - rank, inner, "%y = arith.addf %i0, %i1 : f32")
    if back:
        text += f"%b = tensor.{up}_shape %c {GROUPS}{sizes[up](outer)} : {inner} into {outer}\n"
    return text + f"return {'%b' if back else '%c'} : {result}\n}}"


# operand of the second operation: access, type, whether its loops can be merged
FLAT_OTHERS = [
    ("d0, d1", FLAT),
    ("d1", "tensor<4xf32>"),
    ("d0", "tensor<6xf32>"),
    ("d1, d0", "tensor<4x6xf32>"),
]
SPLIT_OTHERS = [
    ("d0, d1, d2", SPLIT, True),
    ("d2", "tensor<4xf32>", True),
    ("d2, d0, d1", "tensor<4x2x3xf32>", True),
    ("d0, d1, 1", SPLIT, True),
    ("d1, d0, d2", "tensor<3x2x4xf32>", False),
    ("d0", "tensor<2xf32>", False),
]
CASES = [(o, True, True) for o in FLAT_OTHERS] + [((a, t), False, moves) for a, t, moves in SPLIT_OTHERS]


@pytest.mark.parametrize("back", [True, False])
@pytest.mark.parametrize(("other", "split_first", "moves"), CASES)
def test_one_operation_with_the_same_result(
    other: tuple[str, str], split_first: bool, moves: bool, back: bool
) -> None:
    with create_context(), ir.Location.unknown():
        module = ir.Module.parse(_program(other, split_first, back))
        function = module.body.operations[0]
        generator = np.random.default_rng(1)
        inputs = [generator.random(ir.ShapedType(a.type).shape, np.float32) for a in function.arguments]
        expected = run_function(function, inputs)
        Fuse().run(function.operation, PassRun("wse-fuse"))
        module.operation.verify()
        np.testing.assert_array_equal(run_function(function, inputs), expected)
        names = [op.operation.name for op in function.entry_block.operations]
        assert names.count("linalg.generic") == (1 if moves else 2)


@pytest.mark.parametrize(
    ("reshape", "wide", "flat"),
    [
        ("collapse_shape %p [[0, 1]]", (2, 3), (6,)),
        ("expand_shape %p [[0, 1]] output_shape [2, 3]", (6,), (2, 3)),
    ],
)
def test_a_tensor_that_is_read_in_two_ways(
    reshape: str, wide: tuple[int, ...], flat: tuple[int, ...]
) -> None:
    """The outer product of a reshaped tensor with itself."""

    def kind(shape: tuple[int, ...]) -> str:
        return f"tensor<{'x'.join(map(str, shape))}xf32>"

    def loops(first: int, count: int) -> str:
        return ", ".join(f"d{d}" for d in range(first, first + count))

    rank = len(flat)
    factors = [("%r", loops(0, rank), kind(flat)), ("%r", loops(rank, rank), kind(flat))]
    text = f"func.func @main(%x: {kind(wide)}) -> {kind(flat + flat)} {{\n"
    text += _generic(
        "p", [("%x", loops(0, len(wide)), kind(wide))], len(wide), kind(wide), "%y = math.exp %i0 : f32"
    )
    text += f"%r = tensor.{reshape} : {kind(wide)} into {kind(flat)}\n"
    text += _generic("c", factors, 2 * rank, kind(flat + flat), "%y = arith.mulf %i0, %i1 : f32")
    with create_context(), ir.Location.unknown():
        module = ir.Module.parse(f"{text}return %c : {kind(flat + flat)}\n}}")
        function = module.body.operations[0]
        x = np.random.default_rng(1).random(wide, np.float32)
        expected = run_function(function, [x])
        Fuse().run(function.operation, PassRun("wse-fuse"))
        assert module.operation.verify()
        np.testing.assert_array_equal(run_function(function, [x]), expected)
