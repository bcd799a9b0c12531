"""What became of one sample, and how two results are compared."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch.utils import _pytree as pytree

from wse_mlir.compare.agreement import relative_error, tolerance

Word = Literal["match", "refused", "wrong", "crash"]


@dataclass(frozen=True)
class Verdict:
    """One sample's outcome.

    Attributes:
        case: the operator's name in the database, or the name of a node test.
        sample: "float32#3", "float32#3+nan"; the number of the data set of a node test.
        detail: the message of a refusal; what differs, or how it died.
    """

    suite: str
    case: str
    sample: str
    word: Word
    detail: str = ""


def word_for(message: str) -> Word:
    """A message that tells of an internal error is no refusal."""
    return "crash" if "internal error" in message else "refused"


def difference(actual: Any, expected: Any, *, on_wafer: bool) -> str:
    """What differs between two values of one call; empty where they match."""
    ours, our_spec = pytree.tree_flatten(actual)
    theirs, their_spec = pytree.tree_flatten(expected)
    if len(ours) != len(theirs):
        return f"{len(ours)} outputs {our_spec} instead of {len(theirs)} {their_spec}"
    for position, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        found = _leaf_difference(a, b, on_wafer)
        if found:
            return f"output {position}: {found}"
    return ""


def _leaf_difference(a: Any, b: Any, on_wafer: bool) -> str:
    if not isinstance(b, torch.Tensor):
        same = type(a) is type(b) and (a == b or (a != a and b != b))
        return "" if same else f"{a!r} instead of {b!r}"
    if not isinstance(a, torch.Tensor):
        return f"a {type(a).__name__} instead of a tensor"
    if a.dtype != b.dtype or a.shape != b.shape:
        return f"{a.dtype} {list(a.shape)} instead of {b.dtype} {list(b.shape)}"
    x, y = _real(a), _real(b)
    error = relative_error(x, y)
    if error <= tolerance(y.dtype, on_wafer=on_wafer):
        return ""
    return f"{_farthest(x, y)} (error {error:.2g}, {b.dtype} {list(b.shape)})"


def _real(tensor: torch.Tensor) -> torch.Tensor:
    dense = tensor.detach().to_dense()
    return torch.view_as_real(dense.resolve_conj()) if dense.is_complex() else dense


def _farthest(a: torch.Tensor, b: torch.Tensor) -> str:
    """The element that is farthest off, NaN and infinities before all others."""
    x, y = a.double(), b.double()
    apart = (x - y).abs()
    apart = torch.where((x == y) | (x.isnan() & y.isnan()), 0.0, apart).nan_to_num(nan=torch.inf)
    place = int(apart.flatten().argmax())
    index = [int(i) for i in torch.unravel_index(torch.tensor(place), a.shape)] if a.ndim else []
    return f"{a.flatten()[place].item()} instead of {b.flatten()[place].item()} at {index}"


def first_line(text: str, limit: int = 300) -> str:
    """The first line that says something."""
    return next((line for line in text.splitlines() if line.strip()), "")[:limit]


def described(error: BaseException) -> str:
    """Type, first line and place of an exception that is not a message to the user."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{frame.name}, {frame.filename.rpartition('/')[2]}:{frame.lineno}"
    return f"{type(error).__name__}: {first_line(str(error))} ({place})"
