"""Rows of a table of layers: `program,P,dim,heads,kv_heads,head_dim,ffn,seq,kv`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from wse_mlir import CompilerError

PROGRAMS = ("decode", "prefill")
COLUMNS = ("program", "P", "dim", "heads", "kv_heads", "head_dim", "ffn", "seq", "kv")


@dataclass(frozen=True)
class Row:
    """One layer on a square of `side` x `side` PEs.

    Attributes:
        length: positions in the cache that a decode reads, tokens of a prefill.
        heads / kv_heads / head_dim: of the model; the measured programs have one head of full width whatever these say.
        groups: groups of PEs that a line is cut into for its sums; 0: as `groups_of` says.
    """

    program: str
    side: int
    dim: int
    ffn: int
    length: int
    heads: int
    kv_heads: int
    head_dim: int
    groups: int = 0

    @staticmethod
    def of(fields: Mapping[str, str | None]) -> Row:
        """Reads a line of the table; a column `groups` may be there beside the others.

        Raises:
            CompilerError: a column is missing, the program is unknown, or something is no number above 0.
        """
        missing = [name for name in COLUMNS if fields.get(name) is None]
        if missing:
            raise CompilerError(
                f"column '{missing[0]}' is missing", hint=f"the columns are {','.join(COLUMNS)}"
            )
        program = fields["program"]
        if program not in PROGRAMS:
            raise CompilerError(f"program '{program}' is none of {', '.join(PROGRAMS)}")
        length = "kv" if program == "decode" else "seq"
        side, dim, ffn, tokens = (_number(fields, name) for name in ("P", "dim", "ffn", length))
        heads, kv_heads, head_dim, groups = (
            _number(fields, name, 0) for name in ("heads", "kv_heads", "head_dim", "groups")
        )
        if side < 2:
            raise CompilerError(f"column 'P' is {side}, but a line of PEs has 2 at least")
        if groups and side % groups:
            raise CompilerError(f"{side} PEs cannot be cut into {groups} equal groups")
        return Row(program, side, dim, ffn, tokens, heads, kv_heads, head_dim, groups)

    @property
    def tiles(self) -> tuple[int, int, int]:
        """A PE's part of the width, of the inner width, and of the positions or tokens."""
        return self.tile(self.dim), self.tile(self.ffn), self.tile(self.length)

    def tile(self, size: int) -> int:
        """A PE's part of a dimension, padded so that all PEs have as much."""
        return -(-size // self.side)

    def on(self, side: int) -> Row:
        """The same tiles on another square."""
        dim, ffn, length = (tile * side for tile in self.tiles)
        return replace(self, side=side, groups=0, dim=dim, ffn=ffn, length=length)

    @property
    def group(self) -> int:
        """PEs of a group."""
        return self.side // (self.groups or groups_of(self.side))


def _number(fields: Mapping[str, str | None], name: str, least: int = 1) -> int:
    """A column's whole number; 0 for one that is empty and need not be there."""
    text = (fields.get(name) or "").strip()
    if not text and least == 0:
        return 0
    if not text.isascii() or not text.isdigit() or int(text) < least:
        raise CompilerError(f"column '{name}' is '{text}', but has to be a whole number, {least} or more")
    return int(text)


_PUBLISHED = {360: 20, 375: 15, 420: 20, 540: 20, 660: 22}


def groups_of(side: int) -> int:
    """Groups of a line: the published number for sides that have one, else the divisor nearest to the side's root."""
    divisors = (n for n in range(1, side + 1) if side % n == 0)
    return _PUBLISHED.get(side) or min(divisors, key=lambda n: abs(n - side**0.5))
