"""What calls of a routine bring along word by word, where descriptors differ in an address, say, or in a colour alone.

A descriptor is four words: an address, trips and strides, or a colour and a length. A routine that sets them one by one
takes longer than one that loads whole descriptors, and has text for each; but words that are equal in every call, or
that differ from each other by the same number in every call, need no place in a record of their own.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from .....wse_target.footprint import INSTRUCTION_BYTES
from .....wse_target.instructions import Access, Control
from .....wse_target.quasi_affine import Expr
from .expressions import linear_terms
from .text_shapes import DESCRIPTOR_BYTES

_WORD_BYTES = 2
_SET_BYTES = 8  # of text that sets a word: a load of it, and a store into the descriptor
_MOST_WORDS = (
    DESCRIPTOR_BYTES // _WORD_BYTES
)  # of a descriptor that is set word by word: as many are the whole of it

_Word = tuple[Any, int]  # what it depends on, and the number that is added to that


@dataclass(frozen=True)
class WordRecord:
    """What calls of a routine take whose descriptors are set by words.

    Attributes:
        record: bytes that each call but the first brings along.
        code: bytes that the routine's text grows by, with the `Control` that counts its scalar operations.
        words: that are set in each call, the first one's, too.
    """

    record: int
    code: int
    words: int

    @staticmethod
    def of(columns: Collection[Sequence[Any]]) -> WordRecord:
        """For descriptors that calls have of their own, each as a list by call."""
        distinct = set[tuple[_Word, ...]]()
        count, wholes = 0, 0
        for column in columns:
            differing = [w for w in zip(*map(_words, column), strict=True) if any(o != w[0] for o in w)]
            relative = {tuple((base, number - words[0][1]) for base, number in words) for words in differing}
            if len(relative) < _MOST_WORDS:
                count, distinct = count + len(differing), distinct | relative
            else:
                wholes += 1
        record = _WORD_BYTES * len(distinct) + DESCRIPTOR_BYTES * wholes
        return WordRecord(record, _SET_BYTES * count + INSTRUCTION_BYTES[Control], count)


def _words(descriptor: Any) -> list[_Word]:
    """The words of a descriptor; those of one shape have as many."""
    if isinstance(descriptor, Expr):
        return [_number(descriptor)]
    what, numbers = descriptor
    if not isinstance(what, Access):
        return [(what, 0), *map(_number, numbers if isinstance(numbers, tuple) else (numbers,))]
    terms, offset = _number(what.offset)
    return [((what.buffer, terms), offset), *map(_number, numbers), *((None, step) for step in what.strides)]


def _number(expr: Expr) -> _Word:
    terms, constant = linear_terms(expr)
    return frozenset(terms.items()), constant
