"""`wse-winograd-convolutions`: convolutions of three by three or five by five taps need fewer products."""

from __future__ import annotations

from ....dialects.host import func, ir
from ....dialects.structured import structured
from ...infra.pass_base import Pass, PassRun, option
from ...tensor.prepack.known_values import KnownValues
from ...tensor.traversal import collect
from ..processor import processor
from .choice import choose_tile
from .image_convolution import ImageConvolution
from .interpolation import TILES, Interpolation
from .rewriting import Rewriting


class WinogradConvolutions(Pass, name="wse-winograd-convolutions", anchor="func.func"):
    """Computes convolutions of images by tiles of two by two or four by four results.

    A tile of four by four results takes 36 products a channel instead of 144: those of the values of two polynomials,
    which sums of the tile's elements and of the filter's give, and of which sums give the results
    (`winograd/interpolation.py`). The products of all tiles are 36 products of matrices. Of filters with five by five
    taps, tiles of two by two results take 36 products instead of 100.

    Before:

        %y = linalg.generic {maps = [(y, x, f, c, i, j) -> (y + i, x + j, c), -> (f, c, i, j), -> (y, x, f)]}
               ins(%image, %filter : tensor<58x58x64xf32>, tensor<64x64x3x3xf32>) outs(%zeros : tensor<56x56x64xf32>)
        %r = linalg.generic {relu} ins(%y) ...

    After:

        %u = linalg.generic {G g G^T} ins(%filter, %g, %g) ... -> tensor<6x6x64x64xf32>   // computed in @prepare
        %v:36 = linalg.generic {maps = [(y, x, c) -> (4 * y, 4 * x, c), -> (4 * y, 4 * x + 1, c), ...]}
               {B^T d B} ins(%image, %image, ...) ... -> tensor<14x14x64xf32>, ...        // each a slice of %values
        %m = linalg.generic {product of matrices} ins(%values, %u : tensor<36x196x64xf32>, tensor<36x64x64xf32>) ...
        %t:16 = linalg.generic {A^T m A, relu} ins(%m, ...) ... -> tensor<14x14x64xf32>, ...
        %r = tensor.insert_slice %t#0 into %e[0, 0, 0] [14, 14, 64] [4, 4, 1], ...

    `wse-bufferize` lets all results write their places. What alone reads the convolution is computed with the tiles
    where these fill the image; otherwise zeros fill the last tiles, and what is too much is cut off. A model decides:
    there must be channels enough, tiles enough to pay for larger weights, and no more values than fit half of the last
    cache. Only f32, steps and dilations of one, one group, static sizes and filters that are parameters: rounding
    errors are some ten times those of the direct form, 1e-6 of the largest result.
    """

    tile: int = option(0, "results of a tile along each dimension, 2 or 4; where and what pays when 0")
    cpu: str = option("", "LLVM's name of the processor that code is for; this machine's when empty")
    features: str = option("", "LLVM's processor features on top of that, '+avx2,-avx512f'")

    def run(self, op: ir.Operation, run: PassRun) -> None:
        function = op.opview
        if not isinstance(function, func.FuncOp) or len(function.regions[0].blocks) != 1:
            return
        known = KnownValues.of(function).values
        chosen = processor(self.cpu, self.features)
        for generic in reversed(collect(op, lambda o: o.name == "linalg.generic" and len(o.results) == 1)):
            view = structured(generic)
            conv = ImageConvolution.of(view) if view is not None else None
            if conv is None or conv.view.inputs[1 - conv.image] not in known:
                continue
            tile = self.tile or choose_tile(conv, chosen)
            if tile in TILES[conv.width] and Rewriting(conv, Interpolation.of(tile, conv.width)).rewrite():
                run.count(f"convolutions in tiles of {tile} x {tile}")
