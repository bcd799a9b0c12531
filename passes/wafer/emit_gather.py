"""All-gather by a line: blocks travel up the line, then down it, and every PE relays and keeps what passes."""

from collections.abc import Sequence

from ...wse_target.image import Access, Instruction, Loop, Receive, Relay, Route, Send
from ...wse_target.quasi_affine import Expr, Var, const
from .emit_tiles import Tile, Tiles, local_bound, loop_indices
from .library.fragment import Fragment, Line, Part

_ARRIVED = Var("arrived")


def gather_blocks(line: Line, source: Tile, target: Tile, dim: int, tiles: Tiles, prefix: str) -> Fragment:
    """The other PEs' blocks of dimension `dim`, each at its place in `target`.

    Neighbours send on colours of different parity, so that no PE takes from and sends on one colour.
    """
    last = line.extent - 1
    if last == 0:
        return Fragment(())
    position = Var(line.axis)
    send = (source.bounds(tiles.grid), source.whole())
    up = _blocks(source, target, dim, line, tiles, position - _ARRIVED - 1)
    down = _blocks(source, target, dim, line, tiles, position + _ARRIVED + 1)
    parts = []
    for base, count, step in ((0, 1, 1), (1, line.extent // 2, 2), (2, (line.extent - 1) // 2, 2)):
        at_end = [p for p in range(base, base + count * step, step) if p == last]
        inner = count - len(at_end)
        for start, members in ((base, inner), (last, len(at_end))):
            if members:
                first, end, parity = start == 0, start == last, start % 2
                body = _travel(f"{prefix}high", parity, not first, not end, position, send, up)
                body += _travel(
                    f"{prefix}low", parity, not end, not first, const(last) - position, send, down
                )
                parts.append(Part(line.where(start, members, step if members > 1 else 1), tuple(body)))
    routes = _routes(line, f"{prefix}high", 1) + _routes(line, f"{prefix}low", -1)
    return Fragment(tuple(parts), colours=tuple(dict.fromkeys(r.colour for r in routes)), routes=routes)


Walk = tuple[tuple[Expr, ...], Access]


def _blocks(source: Tile, target: Tile, dim: int, line: Line, tiles: Tiles, number: Expr) -> Walk:
    bounds = list(source.bounds(tiles.grid))
    bounds[dim] = local_bound(source.sizes[dim], line.axis, tiles.grid, number)
    indices = loop_indices(len(bounds))
    indices[dim] = indices[dim] + number * tiles.grid.block(source.sizes[dim], line.axis)
    return tuple(bounds), target.at(indices, len(indices))


def _travel(
    name: str, parity: int, takes: bool, passes_on: bool, trips: Expr, own: Walk, kept: Walk
) -> list[Instruction]:
    sent, taken = f"{name}{parity}", f"{name}{1 - parity}"
    body: list[Instruction] = [Send(sent, *own)] if passes_on else []
    if takes:
        bounds, access = kept
        keep = (
            Relay(taken, sent, bounds, None, "store", access) if passes_on else Receive(taken, bounds, access)
        )
        body.append(Loop(_ARRIVED.name, trips, (keep,)))
    return body


def _routes(line: Line, name: str, step: int) -> tuple[Route, ...]:
    onwards, back = line.towards_high, line.towards_low
    if step < 0:
        onwards, back = back, onwards
    found: list[Route] = []
    for parity in (0, 1):
        senders = [p for p in range(parity, line.extent, 2) if 0 <= p + step < line.extent]
        for receive, send, members in (
            ("ramp", onwards, senders),
            (back, "ramp", [p + step for p in senders]),
        ):
            found += _route(line, f"{name}{parity}", receive, send, members)
    return tuple(found)


def _route(line: Line, colour: str, receive: str, send: str, members: Sequence[int]) -> list[Route]:
    if not members:
        return []
    where = line.where(members[0], len(members), 2)
    return [Route(colour, where, receive, (send,))]  # type: ignore[arg-type]
