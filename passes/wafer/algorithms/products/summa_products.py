"""SUMMA as algorithms: over the vendor's library, and with multicasts of its own that overlap the local products."""

from __future__ import annotations

from ..algorithm import Algorithm, register
from ..fragment import Product, ProductRequest
from .blocks import Cut
from .costs import local_product, way, word_count
from .summa import Summa


def build_summa_collectives(request: ProductRequest) -> Product:
    """Each panel by two calls of the vendor's library, then a looped local product; nothing overlaps."""
    return Summa(request, pipelined=False).product()


def build_summa_multicast_pipelined(request: ProductRequest) -> Product:
    """Double buffers and two pairs of colours, whose routes every PE rewrites; the local product is mapped."""
    return Summa(request, pipelined=True).product()


def cycles(plan: Summa) -> float:
    """Panels at the pace of the roots, each of which is next to the one before; then the way to the last PEs."""
    request, tiles, panels = plan.request, plan.tiles, plan.panels
    machine, control = request.machine, request.machine.control
    fabric, axes = machine.fabric, plan.active
    width = -(-request.k // panels.count)
    sizes = {"x": tiles.m.block * width, "y": width * tiles.n.block}
    words = [word_count(sizes[axis], request.dtype) for axis in axes]
    local = local_product(tiles.with_k(Cut(request.k, width)), looped=not plan.pipelined)
    moved = fabric.transfer_setup + way(machine, 1) + max(words, default=0) * fabric.cycles_per_wavelet
    starts = len(axes) * 2 * control.launch + 2 * sum(words) * control.microthread_word
    tasks = (len(axes) + 1) * control.task + control.join
    if plan.pipelined:
        starts += len(axes) * (fabric.route_rewrite + 2 * control.descriptor)
        step = starts + tasks + max(local, moved) + control.loop / 2
    else:
        starts += len(axes) * (fabric.switch + control.library_call)
        step = starts + tasks + local + moved + control.loop
    spread = sum(request.grid) * fabric.hop_latency if axes else 0.0
    return max(request.batch, 1) * (panels.count * step + spread)


SUMMA_COLLECTIVES = register(
    Algorithm(
        "summa_collectives",
        "matmul",
        "SUMMA over the vendor's library: broadcasts, then a looped local product",
        build_summa_collectives,
        lambda request: cycles(Summa(request, pipelined=False)),
    )
)
SUMMA_MULTICAST_PIPELINED = register(
    Algorithm(
        "summa_multicast_pipelined",
        "matmul",
        "SUMMA with multicasts of the next panel under the local product of this one",
        build_summa_multicast_pipelined,
        lambda request: cycles(Summa(request, pipelined=True)),
    )
)
