"""Versions of this project and of the packages that have to fit it: how they are shown, and that they fit."""

from __future__ import annotations

import platform
import re
import warnings
from functools import cache
from importlib.metadata import PackageNotFoundError, requires, version

from ..passes.infra.diagnostics import CompilerError

_PINNED = ("torch", "torch-mlir", "llvmlite")
# The torchvision that was released for a torch, by the second number of its version; it requires exactly that torch.
_VISION_MINOR = 15
_PIN = re.compile(r"([\w-]+)==([\w.]+)")


class UntestedVersions(UserWarning):
    """A package is of another version than the one that this project was made for."""


def describe_versions() -> str:
    """The versions that a report of a defect should name, in a line."""
    others = ", ".join(f"{name} {_installed(name) or 'missing'}" for name in _PINNED)
    return f"wse-mlir {version('wse-mlir')} ({others}, Python {platform.python_version()})"


def pins() -> dict[str, str]:
    """The version of each package that has to be that one, by name."""
    found = (_PIN.match(line) for line in requires("wse-mlir") or () if ";" not in line)
    return {pin[1]: pin[2] for pin in found if pin}


@cache
def check_versions() -> None:
    """Looks once whether the packages that were installed together still are.

    Raises:
        CompilerError: one is missing, or torch is none that torch-mlir's importer reads.
    """
    wanted = pins()
    wrong = {name: _installed(name) for name in wanted if _public(_installed(name)) != wanted[name]}
    if not wrong:
        return
    listed = ", ".join(f"{name} is {found or 'missing'}, not {wanted[name]}" for name, found in wrong.items())
    command = "pip install " + " ".join(f"'{name}=={wanted[name]}'" for name in wrong)
    hint = f"{command}{_vision_hint(wrong, wanted['torch'])}"
    if "" in wrong.values() or _series(wrong.get("torch", wanted["torch"])) != _series(wanted["torch"]):
        raise CompilerError(f"this installation of wse-mlir cannot work: {listed}", hint=hint)
    warnings.warn(f"wse-mlir is not tested like this: {listed}; {hint}", UntestedVersions, stacklevel=2)


def fitting_torchvision(torch: str) -> str:
    """The versions of torchvision that are made for a version of torch: 0.28.0 for 2.13.0."""
    _, minor, patch = torch.split(".")[:3]
    return f"0.{int(minor) + _VISION_MINOR}.{patch}"


def _vision_hint(wrong: dict[str, str], torch: str) -> str:
    if "torch" not in wrong or not _installed("torchvision"):
        return ""
    return f" 'torchvision=={fitting_torchvision(torch)}' (the torchvision of that torch)"


def _installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _public(text: str) -> str:
    """A version without the part after +, which tells builds apart: 2.13.0+cpu."""
    return text.partition("+")[0]


def _series(text: str) -> list[str]:
    return _public(text).split(".")[:2]
