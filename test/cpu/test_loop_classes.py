"""Which loops operations have in common: through plain accesses, and neither along windows nor along diagonals."""

from wse_mlir.dialects.host import ir
from wse_mlir.passes.cpu.kernels.loop_classes import LoopClass, LoopClasses


def found(*accesses: tuple[int, str, str]) -> list[LoopClass]:
    """The loops of operations that access buffers by maps."""
    with ir.Context():
        maps = [ir.AffineMapAttr(ir.Attribute.parse(f"affine_map<{text}>")).value for _, _, text in accesses]
        classes = LoopClasses()
        for (operation, buffer, _), amap in zip(accesses, maps, strict=True):
            classes.access(operation, buffer, amap.results)
        return classes.found()


def test_iterators_meet_in_dimensions_of_buffers() -> None:
    rows, columns = found((0, "a", "(d0, d1) -> (d0, d1)"), (1, "a", "(d0, d1, d2) -> (d2, d0)"))
    assert (rows.iterators, rows.dims) == ({0: 0, 1: 2}, {"a": 0})
    assert (columns.iterators, columns.dims) == ({0: 1, 1: 0}, {"a": 1})
    assert rows.plain and rows.single and columns.plain and columns.single


def test_loops_reach_through_several_buffers() -> None:
    along = "(d0) -> (d0)"
    (loop,) = found((0, "a", along), (1, "a", along), (1, "b", along), (2, "b", along))
    assert loop.iterators == {0: 0, 1: 0, 2: 0} and loop.dims == {"a": 0, "b": 0}


def test_a_window_is_no_plain_loop() -> None:
    loops = found((0, "a", "(d0, d1) -> (d0, d1)"), (1, "a", "(d0, d1, d2) -> (d0, d1 + d2)"))
    assert [loop.plain for loop in loops if 0 in loop.iterators] == [True, False]


def test_a_diagonal_has_two_iterators_of_an_operation() -> None:
    (loop,) = found((0, "a", "(d0, d1) -> (d0, d1)"), (1, "a", "(d0) -> (d0, d0)"))
    assert not loop.single
