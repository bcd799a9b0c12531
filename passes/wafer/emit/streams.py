"""Values that come from the region before and go to the one behind, as fragments."""

from dataclasses import dataclass, field, replace
from typing import Any

from ....dialects.wse import read
from ....wse_target.machine import Machine
from ..algorithms.fragment import Fragment
from ..algorithms.streams import StreamRequest, stream_in, stream_out
from .tiles import TileBuffers

STREAM_ROWS = "wse.stream_rows"  # on programs: `RegionStreams.rows`


@dataclass
class RegionStreams:
    """Emits the streams of a region; all that come in have one colour, and all that go out, one after the other.

    Attributes:
        rows: of what goes out, in order, the dimension that the rows have blocks of; -1 where each has the whole.
    """

    tiles: TileBuffers
    machine: Machine
    rows: list[int] = field(default_factory=list)
    _wired: set[str] = field(default_factory=set)

    def emit(self, op: Any, hint: str) -> Fragment:
        """A stream that comes in makes a tile of its own; one that goes out leaves from where the value is."""
        (layout,) = read.layouts(op)
        result, rect = op.results[0], self.tiles.mesh.rect
        comes_in = op.operation.name == "wse.stream_in"
        if comes_in:
            tile = self.tiles.new(result, layout, hint)
        else:
            self.tiles.alias(result, op.operands[0], layout)
            tile = self.tiles.by_value[result]
            self.rows.append(next((k for k, dim in enumerate(layout.dims) if dim.axes), -1))
        request = StreamRequest((rect.w, rect.h), self.tiles.walk(tile), self.machine)
        return self._wired_once((stream_in if comes_in else stream_out)(request))

    def _wired_once(self, fragment: Fragment) -> Fragment:
        """The fragment, without routes that an earlier one has set already."""
        if self._wired.issuperset(fragment.colours):
            return replace(fragment, routes=(), colours=())
        self._wired.update(fragment.colours)
        return fragment
