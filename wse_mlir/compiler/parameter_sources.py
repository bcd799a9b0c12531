"""Where a compiled model takes its parameters from: the model's tensors by name, and checks of what somebody gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.export import ExportedProgram

from ..frontend.signature import Argument
from ..passes.infra.diagnostics import CompilerError, shown

_SHOWN = 6  # names in a message


def tensors_of(model: Any) -> dict[str, torch.Tensor]:
    """Parameters and buffers of a model by name, tied ones under each of their names."""
    if isinstance(model, torch.nn.Module):
        return {
            **dict(model.named_parameters(remove_duplicate=False)),
            **dict(model.named_buffers(remove_duplicate=False)),
        }
    if isinstance(model, ExportedProgram):
        return dict(model.state_dict)
    return {}


@dataclass(frozen=True)
class TensorNames:
    """What the tensors of a model are to the compiled function; known without the model too.

    Attributes:
        arguments: name of each tensor of the model -> name of the argument that has its values; "" where none has,
            for what is not read, and states.
        temporary: names of tensors that are in no state dict.
    """

    arguments: Mapping[str, str]
    temporary: frozenset[str] = frozenset()

    @classmethod
    def of(cls, model: Any, arguments: Sequence[Argument]) -> TensorNames:
        """Those of a model from which these arguments are; of a model in a file, the arguments' own."""
        tensors = tensors_of(model)
        states = {a.name: "" for a in arguments if a.kind == "state"}
        read = {a.name: a.name for a in arguments if a.kind == "parameter"}
        if not tensors:
            return cls({**read, **states})
        holders = {id(tensors[name]): name for name in read if name in tensors}
        names = {name: holders.get(id(tensor), "") for name, tensor in tensors.items()}
        kept = model.state_dict().keys() if isinstance(model, torch.nn.Module) else tensors.keys()
        return cls({**names, **states}, frozenset(names.keys() - kept))

    def values(
        self, source: Any, arguments: Sequence[Argument], present: Mapping[str, torch.Tensor]
    ) -> list[torch.Tensor]:
        """The tensors of the parameters among the arguments, in order.

        Args:
            source: a model or a state dict.
            present: what they are now, for those that sources do not have: tensors that are no parameter and no
                buffer of the model, and buffers that are in no state dict.

        Raises:
            CompilerError: the source is none, names are unknown or missing, tied tensors differ, or a shape, dtype or
                place in memory does not fit.
        """
        given = _tensors_of_source(source)
        self._check_names(given, tolerates=not isinstance(source, Mapping))
        found: dict[str, tuple[str, torch.Tensor]] = {}
        for name, tensor in given.items():
            argument = self.arguments.get(name, "")
            if not argument:
                continue
            first, before = found.setdefault(argument, (name, tensor))
            if not _is_same(before, tensor):
                raise CompilerError(
                    f"'{first}' and '{name}' were one tensor when the model was compiled, and differ now",
                    hint="give them the same values, or compile the model again",
                )
        values = []
        for argument in arguments:
            if argument.kind == "parameter":
                name, tensor = found.get(argument.name, (argument.name, present[argument.name]))
                _check(name, tensor, argument)
                values.append(tensor.detach())
        return values

    def _check_names(self, given: Mapping[str, torch.Tensor], *, tolerates: bool) -> None:
        """Refuses unknown and missing names; a model may have (`tolerates`) what no state dict has."""
        has = {self.arguments.get(name, "") for name in given}
        needed = {name: a for name, a in self.arguments.items() if a and name not in self.temporary}
        missing = sorted({a for a in needed.values() if a not in has})
        unknown = sorted(name for name in given if name not in self.arguments)
        if not missing and not unknown:
            return
        said = [f"{what} {_listed(names)}" for what, names in (("lacks", missing), ("has", unknown)) if names]
        raise CompilerError(
            f"what the parameters are to be taken from {' and '.join(said)}"
            + (", which the compiled model has not" if unknown else ""),
            hint="give the parameters of the same model under the same names"
            + (", or compile the model again" if tolerates else ": model.state_dict()"),
        )


def _tensors_of_source(source: Any) -> dict[str, torch.Tensor]:
    if isinstance(source, (torch.nn.Module, ExportedProgram)):
        return tensors_of(source)
    if not isinstance(source, Mapping):
        raise CompilerError(
            f"parameters cannot be taken from a {type(source).__name__}",
            hint="give the model, another one with the same parameters, or a state dict: model.state_dict()",
        )
    for name, tensor in source.items():
        if not isinstance(name, str) or not isinstance(tensor, torch.Tensor):
            raise CompilerError(
                f"this is no state dict: {shown(name)} is {shown(tensor)}",
                hint="give names with tensors, as model.state_dict() does",
            )
    return dict(source)


def _is_same(one: torch.Tensor, other: torch.Tensor) -> bool:
    if one is other or (one.device.type != "cpu" or one.layout != torch.strided):
        return True  # or refused for that
    if (one.shape, one.dtype) != (other.shape, other.dtype):
        return False
    return one.data_ptr() == other.data_ptr() or bool(torch.equal(one, other))


def _check(name: str, tensor: torch.Tensor, argument: Argument) -> None:
    if tensor.device.type != "cpu" or tensor.layout != torch.strided:
        where = (
            f"on device '{tensor.device}'" if tensor.device.type != "cpu" else f"of layout {tensor.layout}"
        )
        raise CompilerError(f"parameter '{name}' is {where}", hint="give dense tensors on the CPU")
    if tuple(tensor.shape) != argument.shape or tensor.dtype != argument.dtype:
        raise CompilerError(
            f"parameter '{name}' was {argument.dtype} {list(argument.shape)} and is "
            f"{tensor.dtype} {list(tensor.shape)} now",
            hint="compile the model again",
        )


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(f"'{name}'" for name in names[:_SHOWN])
    return shown + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
