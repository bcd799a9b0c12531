"""How the loops of a `linalg.generic` on buffers run: the vectorised iterator, the order, the register tile."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class LoopSegment:
    """A part of an iterator's range that one loop runs: [start, stop) in steps of unroll * width points.

    An iterator of dynamic size has a segment for each length of step, longest first, that runs for as long as whole
    steps fit.

    Attributes:
        start / stop: None where the size is dynamic.
        follows: dynamic sizes: length of the steps of the segment before; 0 for the first.
        last: dynamic sizes: whether nothing is left after it.
        masked: whether the last vector reaches beyond the end, so that lanes must be masked.
    """

    start: int | None
    stop: int | None
    unroll: int
    width: int = 1
    follows: int = 0
    last: bool = False
    masked: bool = False

    @property
    def step(self) -> int:
        return self.unroll * self.width

    @property
    def is_single_step(self) -> bool:
        """Whether it needs no loop."""
        if self.start is None or self.stop is None:
            return False
        return self.stop - self.start == self.step or self.masked


@dataclass(frozen=True)
class LoopSchedule:
    """How to run one operation.

    Attributes:
        vector: iterator whose points fill vector lanes; None for scalar code.
        width: lanes of a full vector.
        parallel / reduction: iterators of each type, outermost loop first.
        unroll: register tile: points of an iterator (vectors, for `vector`) that one loop body handles. A reduction
            that fills the lanes has as many accumulators.
        masks: whether the last, partial vector is masked; otherwise it runs on narrower vectors or scalars.
        across: parallel iterator, `width` points of which are in a tile, so that operands which lie side by side along
            it are loaded along it and transposed in registers.
    """

    vector: int | None
    width: int
    parallel: tuple[int, ...]
    reduction: tuple[int, ...]
    unroll: dict[int, int] = field(default_factory=dict)
    masks: bool = False
    across: int | None = None

    def segments(self, iterator: int, size: int | None) -> list[LoopSegment]:
        """The loops that together cover iterator's range of `size` points (None: known only at run time)."""
        unroll = self.unroll.get(iterator, 1)
        width = self.width if iterator == self.vector else 1
        masks = self.masks and width > 1
        return _dynamic(unroll, width, masks) if size is None else _static(size, unroll, width, masks)


def _dynamic(unroll: int, width: int, masks: bool) -> list[LoopSegment]:
    """Whole steps; single vectors, the last of them masked; without masks single points in its place."""
    steps = [(unroll, width, False)]
    if masks:
        steps.append((1, width, True))
    else:
        steps += [(1, width, False)] * (unroll > 1) + [(1, 1, False)] * (width > 1)
    pieces: list[LoopSegment] = []
    for vectors, lanes, masked in steps:
        follows, last = pieces[-1].step if pieces else 0, len(pieces) == len(steps) - 1
        pieces.append(LoopSegment(None, None, vectors, lanes, follows, last, masked))
    return pieces


def _static(size: int, unroll: int, width: int, masks: bool) -> list[LoopSegment]:
    """Whole steps; one step of fewer vectors; one masked vector, or vectors of each power of two that is left."""
    step = unroll * width
    pieces: list[LoopSegment] = []
    at = size - size % step
    if at:
        pieces.append(LoopSegment(0, at, unroll, width))
    if (size - at) // width:
        stop = size - size % width
        pieces.append(LoopSegment(at, stop, (stop - at) // width, width))
        at = stop
    if masks and at < size:
        return [*pieces, LoopSegment(at, size, 1, width, masked=True)]
    while at < size:
        width = 1 << ((size - at).bit_length() - 1)
        pieces.append(LoopSegment(at, at + width, 1, width))
        at += width
    return pieces
