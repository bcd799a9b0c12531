"""Algorithms by name: what can be asked for as `name{option=value ...}`, for which operation, with which options."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ....wse_target.errors import CompilerError

_FORM = re.compile(r"(?P<name>[A-Za-z_]\w*)(?:\{(?P<options>[^{}]*)\})?")


@dataclass(frozen=True)
class Algorithm:
    """A way to carry out an operation.

    Attributes:
        operation: "broadcast", "reduce", "all_reduce", "all_gather", "reduce_scatter", "shift", "halo_exchange",
            "transpose", "redistribute", "matmul" or "matvec".
        build: (request, **options) -> `Fragment`, or `Product` for matmul and matvec.
        cycles: (request, **options) -> predicted cycles; only ranks alternatives, the simulator decides.
        refuses: (request, **options) -> why it cannot be used, in words for the user, or "".
        options: whole-number options with their defaults; 0 leaves the choice to the algorithm.
        variants: other settings of options that are tried where the choice is free.
    """

    name: str
    operation: str
    summary: str
    build: Callable[..., Any]
    cycles: Callable[..., float]
    refuses: Callable[..., str] = lambda request, **options: ""
    options: Mapping[str, int] = field(default_factory=dict)
    variants: Sequence[Mapping[str, int]] = ()

    def choices(self) -> Iterator[Choice]:
        """The algorithm as it is tried where the choice is free: with its defaults, then its variants."""
        for given in ({}, *self.variants):
            yield Choice(self, {**self.options, **given})


@dataclass(frozen=True)
class Choice:
    """An algorithm with its options set."""

    algorithm: Algorithm
    options: Mapping[str, int]

    def __str__(self) -> str:
        return self.text

    @cached_property
    def text(self) -> str:
        """`name{option=value ...}`, options with their defaults left out."""
        given = {n: v for n, v in self.options.items() if v != self.algorithm.options[n]}
        inside = " ".join(f"{name}={value}" for name, value in given.items())
        return f"{self.algorithm.name}{{{inside}}}" if inside else self.algorithm.name

    def build(self, request: Any) -> Any:
        """The fragment or product for a request."""
        return self.algorithm.build(request, **self.options)

    def cycles(self, request: Any) -> float:
        """Predicted cycles."""
        return self.algorithm.cycles(request, **self.options)

    def refuses(self, request: Any) -> str:
        """Why it cannot serve the request, "" when it can."""
        return self.algorithm.refuses(request, **self.options)


_REGISTRY: dict[tuple[str, str], Algorithm] = {}


def register(algorithm: Algorithm) -> Algorithm:
    """Makes an algorithm known for its operation."""
    _REGISTRY[algorithm.operation, algorithm.name] = algorithm
    return algorithm


def algorithms(operation: str) -> list[Algorithm]:
    """All algorithms for an operation, in order of registration."""
    return [a for (name, _), a in _REGISTRY.items() if name == operation]


def operations(text: str) -> list[str]:
    """The operations that have an algorithm of the name in `name{option=value ...}`.

    Raises:
        CompilerError: malformed, or no operation has one.
    """
    matched = _FORM.fullmatch(text.strip())
    if matched is None:
        raise CompilerError(f"malformed algorithm '{text}'", hint="write name{option=value option=value}")
    found = [operation for operation, name in _REGISTRY if name == matched["name"]]
    if not found:
        names = sorted({name for _, name in _REGISTRY})
        near = difflib.get_close_matches(matched["name"], names, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"there are: {', '.join(names)}"
        raise CompilerError(f"no algorithm is named '{matched['name']}'", hint=hint)
    return found


def choose(operation: str, text: str) -> Choice:
    """The algorithm that `name{option=value ...}` asks for.

    Raises:
        CompilerError: malformed, unknown for this operation, or with an option that it does not have.
    """
    matched = _FORM.fullmatch(text.strip())
    if matched is None:
        raise CompilerError(f"malformed algorithm '{text}'", hint="write name{option=value option=value}")
    name = matched["name"]
    known = {a.name: a for a in algorithms(operation)}
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"there are: {', '.join(known)}"
        raise CompilerError(f"'{name}' is no algorithm for {operation}", hint=hint)
    algorithm = known[name]
    options = dict(algorithm.options)
    for part in re.split(r"[\s,]+", (matched["options"] or "").strip()):
        if not part:
            continue
        key, _, value = part.partition("=")
        if key not in options or not value.isdigit():
            listed = ", ".join(f"{k}={v}" for k, v in options.items()) or "none"
            raise CompilerError(
                f"algorithm '{name}' cannot take '{part}'", hint=f"its options, whole numbers: {listed}"
            )
        options[key] = int(value)
    return Choice(algorithm, options)
