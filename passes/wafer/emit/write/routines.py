"""Runs of instructions that several texts have in common: each is written once, as a function that the texts call.

Calls are a way to write texts down. A PE's program has its class's whole text, with routines in their places, and no
call takes time or memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any

from .....wse_target.instructions import Instruction, Loop, Phase, all_instructions
from .....wse_target.quasi_affine import Expr

LEAST_SAVED = 16  # instructions that need not be written again
LONG = 8  # instructions of a loop in whose body there may be something to share


@dataclass(frozen=True)
class Routine:
    """A run of instructions; `variables` are those of loops around its calls."""

    name: str
    variables: tuple[str, ...]
    body: tuple[Instruction, ...]


@dataclass(frozen=True)
class Call:
    """Stands in a text for a routine's instructions."""

    routine: Routine


@dataclass
class Outline:
    """Texts in which calls stand for what they have in common.

    Attributes:
        routines: in order of first use.
    """

    texts: list[tuple[Any, ...]]
    routines: list[Routine] = field(default_factory=list)

    @staticmethod
    def of(texts: Sequence[tuple[Any, ...]]) -> Outline:
        """Outlines the texts of a program's classes."""
        tokens: dict[Any, int] = {}
        opened = _loops_of_one_text(texts)
        bodies = [*texts, *(op.body for op in opened)]
        sequences = [[tokens.setdefault(op, len(tokens)) for op in body] for body in bodies]
        instructions = list(tokens)
        outline, calls = Outline([]), dict[int, tuple[Call, int]]()
        for run, count in _runs(sequences, {t for op, t in tokens.items() if isinstance(op, Phase)}):
            body = tuple(instructions[token] for token in run)
            size = len(list(all_instructions(body)))
            if (count - 1) * size >= LEAST_SAVED and not opened & set(body):
                variables = tuple(sorted(set().union(*map(_variables, body)) - {"x", "y"}))
                routine = Routine(f"routine_{len(outline.routines)}", variables, body)
                outline.routines.append(routine)
                calls[run[0]] = Call(routine), len(run)
        outline.texts = [_with_calls(text, tokens, calls, opened) for text in texts]
        return outline


def _loops_of_one_text(texts: Sequence[tuple[Instruction, ...]]) -> set[Loop]:
    """Long loops that only one text has: their bodies may have something in common."""
    count: dict[Loop, int] = {}
    for op in (op for text in texts for op in text if isinstance(op, Loop) and len(op.body) >= LONG):
        count[op] = count.get(op, 0) + 1
    return {op for op, times in count.items() if times == 1}


def _runs(sequences: Sequence[Sequence[int]], alone: set[int]) -> Iterator[tuple[list[int], int]]:
    """Longest stretches that occur as a whole wherever a part of them does, and how often; without what is `alone`."""
    behind, before = dict[int, set[int]](), dict[int, set[int]]()
    count: dict[int, int] = {}
    for sequence in sequences:
        for left, right in zip([-1, *sequence], [*sequence, -1], strict=True):
            behind.setdefault(left, set()).add(right)
            before.setdefault(right, set()).add(left)
            count[right] = count.get(right, 0) + 1

    def joined(left: int, right: int) -> bool:
        return behind[left] == {right} and before[right] == {left} and not {left, right} & {-1, *alone}

    for token in sorted(count.keys() - {-1} - alone):
        if any(joined(left, token) for left in before[token]):
            continue
        run = [token]
        while len(behind[run[-1]]) == 1 and joined(run[-1], right := next(iter(behind[run[-1]]))):
            run.append(right)
        yield run, count[token]


def _with_calls(
    text: Sequence[Instruction], tokens: dict[Any, int], calls: dict[int, tuple[Call, int]], opened: set[Loop]
) -> tuple[Any, ...]:
    found, at = list[Any](), 0
    while at < len(text):
        op = text[at]
        call, length = calls.get(tokens[op], (None, 1))
        if isinstance(op, Loop) and op in opened:
            found.append(replace(op, body=_with_calls(op.body, tokens, calls, opened)))
        else:
            found.append(call or op)
        at += length
    return tuple(found)


def _variables(item: Any) -> frozenset[str]:
    """Variables of expressions in an instruction, those of loops inside of it and the host's numbers left out."""
    if isinstance(item, Expr):
        return frozenset(name for name in item.variables() if not name.startswith("$"))
    if isinstance(item, tuple):
        return frozenset().union(*map(_variables, item))
    if not is_dataclass(item):
        return frozenset()
    found = frozenset().union(*(_variables(getattr(item, f.name)) for f in fields(item)))
    return found - {item.variable} if isinstance(item, Loop) else found
