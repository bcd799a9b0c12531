"""Products on rings as algorithms: Cannon's, and MeshGEMM on interleaved rings."""

from __future__ import annotations

from ..algorithm import Algorithm, register
from ..fragment import Axis, Product, ProductRequest
from .cannon import Cannon
from .costs import local_product, way, word_count
from .ring_program import RingProgram

AXES: tuple[tuple[Axis, str], ...] = (("x", "a"), ("y", "b"))  # the operand that moves along each axis


def _mesh(request: ProductRequest, aligned: int, packed: int) -> RingProgram:
    return RingProgram(Cannon(request, "interleaved", aligned), packed=bool(packed))


def _cannon(request: ProductRequest) -> RingProgram:
    return RingProgram(Cannon(request, "plain", 2), packed=True)


def build_mesh_gemm(request: ProductRequest, aligned: int, packed: int) -> Product:
    """MeshGEMM: interleaved rings (WaferLLM).

    Args:
        aligned: 1 when B comes rotated into place, as it does in the measured program; 2 when both operands come in
            blocks in order and are rotated on the device; 0 when both come in place.
        packed: 1 when narrow elements share wavelets; the measured program sends one element a wavelet.
    """
    return _mesh(request, aligned, packed).product()


def refuses_mesh_gemm(request: ProductRequest, aligned: int, packed: int) -> str:
    """Why MeshGEMM cannot serve a request."""
    if packed > 1:
        return f"option packed is 0 or 1, not {packed}"
    return "" if aligned <= 2 else f"option aligned is 0, 1 or 2, not {aligned}"


def build_cannon(request: ProductRequest) -> Product:
    """Cannon's algorithm on plain rings: tiles come in blocks in order, and are rotated on the device."""
    return _cannon(request).product()


def cycles(program: RingProgram) -> float:
    """Steps of what is longer, the local product or an exchange, after the rounds that rotate tiles into place."""
    plan, request = program.plan, program.plan.request
    machine, tiles = request.machine, program.plan.tiles
    fabric, control = machine.fabric, machine.control
    sizes: dict[Axis, int] = {
        axis: word_count(tiles.size(operand, plan.moving(axis)), request.dtype, program.packed)
        for axis, operand in AXES
        if plan.rings[axis].extent > 1
    }
    turning = [sizes[axis] for axis in sizes if plan.rounds(axis)]

    def exchange(moved: list[int]) -> float:
        longest = max(moved, default=0) * fabric.cycles_per_wavelet
        return fabric.transfer_setup + way(machine, 2) + longest if moved else 0.0

    def main_thread(moved: list[int]) -> float:
        starts = 2 * len(moved) * (control.descriptor + control.launch + control.task)
        return starts + 2 * sum(moved) * control.microthread_word + control.loop

    moved = list(sizes.values())
    step = main_thread(moved) + max(local_product(tiles), exchange(moved) + control.join)
    turn = main_thread(turning) + exchange(turning) + control.join
    rounds = max(plan.rounds("x"), plan.rounds("y"))
    return max(request.batch, 1) * (rounds * turn + plan.steps * step)


MESH_GEMM = register(
    Algorithm(
        "mesh_gemm",
        "matmul",
        "Cannon's algorithm on interleaved rings: no partner is more than two hops away (WaferLLM)",
        build_mesh_gemm,
        lambda request, aligned, packed: cycles(_mesh(request, aligned, packed)),
        refuses_mesh_gemm,
        {"aligned": 1, "packed": 0},
    )
)
CANNON = register(
    Algorithm(
        "cannon",
        "matmul",
        "Cannon's algorithm on plain rings, whose last link crosses the grid",
        build_cannon,
        lambda request: cycles(_cannon(request)),
    )
)
