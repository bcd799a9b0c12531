"""`wse-transposed-convolutions`: transposed convolutions do not multiply the zeros between an image's elements."""

from __future__ import annotations

from ....dialects.affine.expressions import dim_position, evaluate_affine, used_dims
from ....dialects.affine.linear import coefficient
from ....dialects.host import ir
from ....dialects.structured import PARALLEL, Structured, structured
from ...infra.pass_base import Pass, PassRun
from ..contraction.form import is_multiply_add
from ..simplify.reshapes.read_chain import shape_of
from ..traversal import collect
from .transposed.phases import Window
from .transposed.rewriting import TransposedConvolution
from .transposed.spread import SpreadTensor, find_spread


class TransposedConvolutions(Pass, name="wse-transposed-convolutions", anchor="func.func"):
    """Makes convolutions over the elements of an image out of one over an image with zeros in between.

    With a step of 2, even positions of the result only ever meet some of the filter's taps, odd ones the others.
    Where all phases have as many taps, they become an iterator of their own:

        %s = tensor.insert_slice %x into %zeros[2] [8] [2] : tensor<8xf32> into tensor<19xf32>
        %y = linalg.generic {maps = [(o, k) -> (o + k), (o, k) -> (k), (o, k) -> (o)]}
               ins(%s, %w : tensor<19xf32>, tensor<4xf32>) outs(%z : tensor<16xf32>)
    becomes
        %p = tensor.pad %x low[1] high[1] : tensor<8xf32> to tensor<10xf32>
        %v = linalg.generic {maps = [(r, j) -> (j * 2 + (2 - r) mod 2), ...]} ins(%w) ... -> tensor<2x2xf32>
        %q = linalg.generic {maps = [(q, r, j) -> (q + j - (2 - r) floordiv 2 + 1), (q, r, j) -> (r, j), ...]}
               ins(%p, %v : tensor<10xf32>, tensor<2x2xf32>) outs(%e : tensor<8x2xf32>)
        %y = tensor.collapse_shape %q [[0, 1]]

    Otherwise each phase is a convolution of its own, whose result is inserted at every second position; an elementwise
    operation that alone reads the result is then computed phase by phase, too. Positions that no tap reaches keep what
    the sums started as. Sizes that are open along a dimension with zeros in between leave the operation as it is.
    """

    def run(self, op: ir.Operation, run: PassRun) -> None:
        generics = collect(op, lambda o: o.name == "linalg.generic" and len(o.results) == 1)
        for generic in reversed(generics):  # what reads a convolution may be erased with it
            view = structured(generic)
            if view is None or view.is_parallel() or len(view.inputs) != 2 or not is_multiply_add(view):
                continue
            for image in (0, 1):
                spread = find_spread(view.inputs[image])
                windows = None if spread is None else _windows(view, image, spread)
                if spread is not None and windows:
                    TransposedConvolution(view, image, spread, tuple(windows)).rewrite()
                    run.count("convolutions over spread images")
                    break


def _windows(view: Structured, image: int, spread: SpreadTensor) -> list[Window] | None:
    """The dimensions along which the image is spread; None when one is read in another way than by a window."""
    sizes, plain = view.loop_sizes(), spread.shape
    filter_dims = [dim_position(e) for e in view.maps[1 - image].results]
    result_dims = [dim_position(e) for e in view.init_maps[0].results]
    if None in filter_dims or None in result_dims:
        return None
    windows: list[Window] = []
    for d, expr in enumerate(view.maps[image].results):
        size = shape_of(view.inputs[image])[d]
        if plain[d] is None or size is None:
            if spread.lows[d] or spread.steps[d] > 1 or plain[d] != size:
                return None
            continue
        if spread.steps[d] == 1:
            continue
        used = sorted(used_dims(expr), key=lambda i: view.iterators[i] != PARALLEL)
        if len(used) != 2 or [view.iterators[i] == PARALLEL for i in used] != [True, False]:
            return None
        output, tap = used
        dilation, count, taps = coefficient(expr, tap), sizes[output], sizes[tap]
        elsewhere = [e for k, e in enumerate(view.maps[image].results) if k != d]
        if any(used_dims(e) & {output, tap} for e in elsewhere) or evaluate_affine(expr, lambda _: 0):
            return None
        if coefficient(expr, output) != 1 or not dilation or dilation < 0 or not count or not taps:
            return None
        if output in filter_dims or filter_dims.count(tap) != 1 or result_dims.count(output) != 1:
            return None
        windows.append(Window(count, taps, dilation, spread.lows[d], spread.steps[d], d, output, tap))
    return windows
