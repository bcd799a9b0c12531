"""PyTorch's composite operators while a program is decomposed, without what it would set up anew for each program.

For every decomposition `torch.export` finds all composite operators, of any namespace, and gives each of about 500 a
dozen kernels, which it takes away again: 0.18 s, more than all else of compiling a small model. Here both are done as
PyTorch does them once, and repeated from then on where nothing has changed since.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch._subclasses import fake_impls
from torch.export import exported_program

# Of PyTorch's own, but not public; where one is missing, programs are decomposed more slowly.
_OVERRIDE = "_override_composite_implicit_decomp"
_SPLIT = "_split_decomp_table_to_cia_and_python_decomp"
_Fakes = dict[Any, Callable[..., Any]]  # implementations on fake tensors, by operator
_fake: _Fakes | None = getattr(fake_impls, "op_implementations_dict", None)


@dataclass(frozen=True)
class _Override:
    """What PyTorch's override of an operator by a callable does.

    Attributes:
        before / during: the operator's kernels by dispatch key.
        fake: its implementation on fake tensors during the override; None where it had one before.
    """

    callable: Callable[..., Any]
    before: Mapping[Any, Any]
    during: Mapping[Any, Any]
    fake: Callable[..., Any] | None

    def fits(self, op: Any, callable: Callable[..., Any], fakes: _Fakes) -> bool:
        """Whether PyTorch would do the same again."""
        same_fake = (op in fakes) == (self.fake is None)
        return self.callable is callable and self.before == op.py_kernels and same_fake

    def apply(self, op: Any, fakes: _Fakes) -> None:
        _set_kernels(op, self.during)
        if self.fake is not None:
            fakes[op] = self.fake

    def undo(self, op: Any, fakes: _Fakes) -> None:
        _set_kernels(op, self.before)
        fakes.pop(op, None)  # also one that was there before, as PyTorch does


@dataclass(frozen=True)
class _Split:
    """A table of decompositions taken apart by PyTorch: composite operators, those that the table leaves whole too, and
    others.

    Attributes:
        registered: the composite operators that there were.
    """

    registered: list[str]
    table: Mapping[Any, Any]
    composites: Mapping[Any, Any]
    others: Mapping[Any, Any]


_seen: dict[Any, _Override] = {}
_splits: list[_Split] = []  # the last one


@contextmanager
def composites_kept() -> Iterator[None]:
    """While it lasts, PyTorch's decompositions take what is known of composite operators from earlier ones."""
    with ExitStack() as stack:
        if _fake is not None:
            stack.enter_context(_replaced(exported_program, _OVERRIDE, partial(_repeated, fakes=_fake)))
        stack.enter_context(_replaced(exported_program, _SPLIT, _where_new))
        yield


@contextmanager
def _replaced(module: Any, name: str, wrap: Callable[[Any], Any]) -> Iterator[None]:
    original = getattr(module, name, None)
    if original is None:
        yield
        return
    setattr(module, name, wrap(original))
    try:
        yield
    finally:
        setattr(module, name, original)


def _repeated(original: Callable[[dict[Any, Any]], Any], fakes: _Fakes) -> Callable[[dict[Any, Any]], Any]:
    """Overrides composite operators as `original` does, and repeats what it did where that is known."""

    @contextmanager
    def override(callables: dict[Any, Callable[..., Any]]) -> Iterator[None]:
        known = {op: s for op, c in callables.items() if (s := _seen.get(op)) and s.fits(op, c, fakes)}
        new = {op: c for op, c in callables.items() if op not in known}
        before = {op: (dict(op.py_kernels), op in fakes) for op in new}
        with original(new):
            for op, (kernels, had_fake) in before.items():
                fake = None if had_fake else fakes.get(op)
                _seen[op] = _Override(new[op], kernels, dict(op.py_kernels), fake)
            try:
                for op, seen in known.items():
                    seen.apply(op, fakes)
                yield
            finally:
                for op, seen in known.items():
                    seen.undo(op, fakes)

    return override


def _where_new(original: Callable[[dict[Any, Any]], Any]) -> Callable[[dict[Any, Any]], Any]:
    """Takes a table apart as `original` does, unless it was the last one and no operator has been registered since."""

    def split(table: dict[Any, Any]) -> tuple[dict[Any, Any], dict[Any, Any]]:
        registered = torch._C._dispatch_get_registrations_for_dispatch_key("CompositeImplicitAutograd")
        last = _splits[-1] if _splits else None
        if last is None or (last.registered, last.table) != (registered, table):
            last = _Split(registered, dict(table), *original(table))
            _splits[:] = [last]
        return dict(last.composites), dict(last.others)

    return split


def _set_kernels(op: Any, kernels: Mapping[Any, Any]) -> None:
    op.py_kernels.clear()
    op.py_kernels.update(kernels)
    op._dispatch_cache.clear()
