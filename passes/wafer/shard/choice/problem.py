"""What is planned: the operations of `@main` in order, each with its options, and how long values live."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from .....dialects.host import ir
from .....wse_target.layout.mesh import Mesh
from ..contraction import contraction_of
from ..cost import CostModel
from ..lowering import RESHAPES, SLICES, STREAMS, is_node, no_lowering
from ..nodes import Node, Option, analyse, bytes_of, compute_options
from .dear_options import without_dear_ones
from .guides import Axes, Guide
from .product_options import ProductOptions
from .results import with_results
from .shape_options import assembly_options, reshape_options
from .stream_options import stream_options
from .wants import Wants

_SHARED = 8  # operations that the SRAM is taken to be shared by, where something has to be better than a whole product


@dataclass(frozen=True)
class Problem:
    """What is planned: the nodes in order, and how long values live.

    Attributes:
        free: arguments that any number of layouts can be had of (parameters and constants).
        last_use: position of the last node that needs a value; `len(nodes)` for results of the program.
        aliases: results of reshapes, which share memory with their source.
        has_dear: whether options that are much dearer than others are among them.
    """

    nodes: tuple[Node, ...]
    arguments: tuple[ir.Value, ...]
    free: frozenset[int]
    last_use: dict[ir.Value, int]
    aliases: frozenset[ir.Value]
    has_dear: bool = True

    @property
    def size(self) -> int:
        """Options of all nodes."""
        return sum(len(node.options) for node in self.nodes)


def moves_only(node: Node) -> bool:
    """Whether an operation is a reshape or a slice, which computes nothing."""
    return node.op.operation.name in RESHAPES + SLICES


def build_problem(
    main: Any,
    mesh: Mesh,
    cost: CostModel,
    free: frozenset[int],
    products: ProductOptions,
    guide: Guide | None = None,
    *,
    dear: bool = True,
) -> Problem:
    """Lists nodes and their options on a mesh; only what a guide did elsewhere, if there is one.

    Args:
        dear: whether options that are much dearer than others are of interest.
    """
    operations = [op for op in main.body.blocks[0].operations if is_node(op)]
    wants, found = Wants(), list[Node]()
    for at, op in reversed(list(enumerate(operations))):
        along = None if guide is None else guide.loops[at]
        options = _options(op, mesh, cost, products, wants, along)
        if not dear:
            options = without_dear_ones(options, partial(_bytes_of_option, op), mesh, cost)
        found.append(Node(op, options if guide is None else guide.picks(at, options)))
        wants.note(found[-1])
    nodes = tuple(reversed(found))
    last_use, aliases = _uses(nodes, list(main.body.blocks[0].operations)[-1])
    arguments = tuple(main.body.blocks[0].arguments)
    return Problem(nodes, arguments, free, last_use, aliases, has_dear=dear and guide is None)


def _uses(nodes: Sequence[Node], terminator: Any) -> tuple[dict[ir.Value, int], frozenset[ir.Value]]:
    """Of a problem the position of each value's last reader, and the values that share memory with others."""
    last_use, aliases = dict.fromkeys(terminator.operands, len(nodes)), set[ir.Value]()
    for position in range(len(nodes) - 1, -1, -1):
        op = nodes[position].op
        until = position
        if op.operation.name in RESHAPES:
            until = max(position, last_use.get(op.results[0], position))
            aliases.add(op.results[0])
        for operand in op.operands:
            last_use[operand] = max(until, last_use.get(operand, until))
    return last_use, frozenset(aliases)


def _options(
    op: Any, mesh: Mesh, cost: CostModel, products: ProductOptions, wants: Wants, along: Axes | None = None
) -> list[Option]:
    name = op.operation.name
    if name == "linalg.generic":
        computed = compute_options(op, mesh, cost, wants.of_results(op), along)
        local = [way for option in computed for way in with_results(option, op, cost)]
        if products.combining:  # by the algorithm that is asked for
            local = [o for o in local if o.scattering is None]
        if "wse.iterators" in op.attributes:
            return local
        if products.combining:
            return [o for o in local if o.reductions] or local
        fitting = [o.cycles for o in local if bytes_at_least(op, o) <= cost.sram // _SHARED]
        offered = products.options(op, mesh, min(fitting, default=math.inf))
        forced = products.forced and contraction_of(analyse(op)) is not None
        return offered if forced else local + offered
    if name in RESHAPES:
        return reshape_options(op, mesh, wants.of_results(op)[0])
    if name in SLICES:
        return assembly_options(op, mesh, cost, wants.of_results(op)[0])
    if name in STREAMS:
        return stream_options(op, mesh, cost)
    raise no_lowering(op)


def bytes_at_least(op: Any, option: Option) -> int:
    """Bytes of a PE's SRAM that an operation's own operands and results take, laid out as an option says."""
    needed = [(v, to) for v, to in zip(op.operands, option.needs, strict=True) if to is not None]
    return sum(bytes_of(v, to) for v, to in (*needed, *zip(op.results, option.gives, strict=True)))


def _bytes_of_option(op: Any, option: Option) -> int:
    return bytes_at_least(op, option) + option.scratch
