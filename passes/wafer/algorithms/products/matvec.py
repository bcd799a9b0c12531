"""Products of a vector and a matrix as algorithms."""

from __future__ import annotations

from collections.abc import Callable

from .....wse_target.image import StridedRect
from .....wse_target.instructions import Control
from .....wse_target.quasi_affine import const
from ..algorithm import Algorithm, choose, register
from ..fragment import Product, ProductRequest
from .blocks import everywhere
from .vector_products import InstructionText, ProductStep, VectorProduct, library_call

Scheme = Callable[..., tuple[VectorProduct, list[ProductStep]]]  # (request, **options) -> plan and steps

BROADCAST_CALL, REDUCE_CALL = library_call(colours=1), library_call(colours=2)
# MeshGEMV loads the accumulator's descriptor and finds out at run time which part a PE has in each of three stages.
TREE_ROLES: InstructionText = (Control("descriptor", const(1)), Control("branch", const(8)))


def mesh_gemv(request: ProductRequest, group: int) -> tuple[VectorProduct, list[ProductStep]]:
    """MeshGEMV (WaferLLM): mapped local product, then an all-reduce by a two-level tree in groups along y."""
    whole = everywhere(request.grid)
    plan = VectorProduct(request, whole, whole, widened=False)
    tree = choose("all_reduce", f"k_tree{{group={group}}}")
    return plan, [plan.local(), TREE_ROLES, plan.collective(tree, "y", plan.summed, "sum")]


def chain_allreduce_gemv(request: ProductRequest) -> tuple[VectorProduct, list[ProductStep]]:
    """Mapped local product, then the vendor library's chain reduction and broadcast along y."""
    whole = everywhere(request.grid)
    plan = VectorProduct(request, whole, whole, widened=True)
    return plan, [
        plan.local(),
        REDUCE_CALL,
        plan.collective(choose("reduce", "chain"), "y", plan.summed, "sum"),
        BROADCAST_CALL,
        plan.collective(choose("broadcast", "multicast"), "y", plan.summed, "spread"),
        plan.narrowed(),
    ]


def gemv_collectives(request: ProductRequest) -> tuple[VectorProduct, list[ProductStep]]:
    """The vendor's example: its library takes A from the first column along the rows and sums to the first row.

    The local product is a scalar loop over vector operations.
    """
    width, height = request.grid
    plan = VectorProduct(
        request, StridedRect((0, 0), (1, height)), StridedRect((0, 0), (width, 1)), widened=True
    )
    return plan, [
        BROADCAST_CALL,
        plan.collective(choose("broadcast", "multicast"), "x", plan.vector, "spread"),
        plan.local(looped=True),
        REDUCE_CALL,
        plan.collective(choose("reduce", "chain"), "y", plan.summed, "sum"),
        plan.narrowed(),
    ]


def _register(scheme: Scheme, summary: str, **options: int) -> Algorithm:
    def build(request: ProductRequest, **chosen: int) -> Product:
        plan, steps = scheme(request, **chosen)
        return plan.product(steps)

    def cycles(request: ProductRequest, **chosen: int) -> float:
        plan, steps = scheme(request, **chosen)
        return plan.cycles(steps)

    def refuses(request: ProductRequest, **chosen: int) -> str:
        return "" if request.m == 1 else f"A must be a vector, and has {request.m} rows"

    return register(Algorithm(scheme.__name__, "matvec", summary, build, cycles, refuses, options))


MESH_GEMV = _register(mesh_gemv, "sums by a two-level tree along y (WaferLLM)", group=15)
CHAIN_ALLREDUCE_GEMV = _register(chain_allreduce_gemv, "sums by the vendor library's chain along y")
GEMV_COLLECTIVES = _register(
    gemv_collectives, "the vendor library spreads A along rows and sums along columns to the first row"
)
