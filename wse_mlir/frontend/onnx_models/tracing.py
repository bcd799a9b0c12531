"""Traces an ONNX model into a graph of ATen operators, decomposed as those of PyTorch's models are."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch._dynamo.source import ConstantSource
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx import GraphModule
from torch.fx import traceback as fx_traceback
from torch.fx.experimental.proxy_tensor import make_fx
from torch.fx.experimental.symbolic_shapes import DimDynamic, ShapeEnv
from torch.utils import _pytree as pytree

from ...passes.infra.diagnostics import CompilerError
from ..decompositions import decomposition_table
from ..graphs import PARAMETER, NamedParameter, placeholders
from ..signature import LITERAL_LIMIT
from .graph import run_graph
from .scope import InputsNeeded, Model, Scope
from .sizes import materialised
from .types import CARRIERS, SAME_BITS, carried
from .values import Unsupported, is_known, untraced

# Sizes that are open are traced with these, which nothing else is equal to.
_PRIMES = (1009, 1013, 1019, 1021, 1031, 1033, 1039, 1049, 1051, 1061, 1063, 1069, 1087, 1091, 1093, 1097)


@dataclass(frozen=True)
class TensorInput:
    """One tensor that the model takes.

    Attributes:
        name: of the model's input, with a position behind it for elements of sequences.
        shape: numbers, and names of sizes that are open.
        example: its elements, where the caller gave some.
    """

    name: str
    shape: tuple[int | str, ...]
    dtype: torch.dtype
    example: torch.Tensor | None = None


@dataclass
class Traced:
    """A traced model.

    Attributes:
        graph: its placeholders are the tensors that are given at each call, then parameters.
        fixed: tensors whose elements decide shapes, by name: the graph holds for these alone.
        out_spec: structure of the outputs; flat positions in `absent` are None.
        unsigned: per tensor among the outputs its element type where the graph computes the same bits signed.
    """

    graph: GraphModule
    fixed: dict[str, torch.Tensor]
    out_spec: pytree.TreeSpec
    absent: set[int] = field(default_factory=set)
    unsigned: list[torch.dtype | None] = field(default_factory=list)


def trace_model(
    model: Model,
    graph: Any,
    inputs: Mapping[str, Any],
    parameters: Mapping[str, tuple[torch.Tensor, torch.dtype]],
) -> Traced:
    """Traces the main graph of a model.

    Args:
        inputs: by name a `TensorInput`, a list of them for a sequence, None for an optional that is left out.
        parameters: large initialisers, in the type that they are computed in, and their own.

    Raises:
        CompilerError: a node cannot be traced, or a shape depends on elements that are not known.
    """
    fixed: dict[str, torch.Tensor] = {}
    given = {x.name: x for x in pytree.tree_leaves(list(inputs.values())) if isinstance(x, TensorInput)}
    while True:
        try:
            return _Tracer(model, graph, inputs, parameters, fixed).run()
        except Unsupported as error:  # of no node: an initializer's elements, an output that nothing computes
            raise CompilerError(
                f"the ONNX graph has {error}, which is not supported", where=model.path
            ) from error
        except InputsNeeded as needed:
            missing = needed.names - fixed.keys()
            if not missing:
                raise needed.message from None
            for name in sorted(missing):
                fixed[name] = _elements_of(name, given, parameters, needed.message)


def _elements_of(
    name: str,
    given: Mapping[str, TensorInput],
    parameters: Mapping[str, tuple[torch.Tensor, torch.dtype]],
    message: CompilerError,
) -> torch.Tensor:
    if name in parameters:
        return parameters[name][0]
    example = given[name].example if name in given else None
    if example is None:
        message.hint = f"make '{name}' an initializer, or give example arguments: its elements are fixed then"
        raise message
    if example.numel() >= LITERAL_LIMIT or example.dim() > 1:
        raise CompilerError(
            f"the elements of the input '{name}' decide a shape: it would differ from call to call",
            where=message.where,
            hint="only vectors of a few elements are fixed to those of the example arguments",
        )
    return example


class _Tracer:
    """One attempt, in which the elements of some inputs are fixed."""

    def __init__(
        self,
        model: Model,
        graph: Any,
        inputs: Mapping[str, Any],
        parameters: Mapping[str, tuple[torch.Tensor, torch.dtype]],
        fixed: dict[str, torch.Tensor],
    ) -> None:
        self.model, self.graph, self.inputs, self.fixed = model, graph, inputs, fixed
        self.parameters = {name: value for name, value in parameters.items() if name not in fixed}
        self.constants = {name: value for name, value in parameters.items() if name in fixed}
        self.flat = [
            x
            for x in pytree.tree_leaves(list(inputs.values()))
            if isinstance(x, TensorInput) and x.name not in fixed
        ]
        self.environment = ShapeEnv()
        self.mode = FakeTensorMode(shape_env=self.environment, allow_non_fake_inputs=True)
        self.sizes: dict[str, Any] = {}
        self.unsigned: list[torch.dtype | None] = []
        self.out_spec = pytree.tree_structure(None)
        self.absent: set[int] = set()

    def run(self) -> Traced:
        """Traces, and marks parameters."""
        fakes = [self._fake(x) for x in self.flat]
        with self.mode:
            fakes += [torch.empty(t.shape, dtype=t.dtype) for t, _ in self.parameters.values()]
        with warnings.catch_warnings(), fx_traceback.preserve_node_meta(), self.mode:
            warnings.simplefilter("ignore")
            traced = make_fx(
                self._compute,
                decomposition_table=dict(decomposition_table()),
                tracing_mode="real",
                _allow_non_fake_inputs=True,
            )(*fakes)
        count = len(self.flat)
        for node, (name, (tensor, _)) in zip(
            placeholders(traced.graph)[count:], self.parameters.items(), strict=True
        ):
            node.meta[PARAMETER] = NamedParameter(name, tensor)
        kept = {n: t for n, t in self.fixed.items() if n not in self.constants}
        return Traced(traced, kept, self.out_spec, self.absent, self.unsigned)

    def _fake(self, x: TensorInput) -> torch.Tensor:
        dtype = SAME_BITS.get(x.dtype, x.dtype)
        shape = [self._size(size) for size in x.shape]
        with self.mode:
            return torch.empty(shape, dtype=dtype)

    def _size(self, size: int | str) -> Any:
        if isinstance(size, int):
            return size
        if size not in self.sizes:
            hint = _PRIMES[len(self.sizes) % len(_PRIMES)]
            source = ConstantSource(f"__size_{len(self.sizes)}")
            symbol = self.environment.create_symbol(hint, source, dynamic_dim=DimDynamic.DYNAMIC)
            self.sizes[size] = self.environment.create_symintnode(symbol, hint=hint, source=source)
        return self.sizes[size]

    def _compute(self, *tensors: torch.Tensor) -> list[torch.Tensor]:
        left = iter(tensors)
        scope = Scope(self.model)
        for name, value in self.inputs.items():
            unsigned = value.dtype if isinstance(value, TensorInput) and value.dtype in CARRIERS else None
            names = [x.name for x in pytree.tree_leaves(value) if isinstance(x, TensorInput)]
            scope.define(name, self._given(value, left), frozenset(names), unsigned)
        for name, (_, dtype) in self.parameters.items():
            unsigned = dtype if dtype in CARRIERS else None
            scope.define(name, next(left), frozenset([name]), unsigned)
        for name, (tensor, dtype) in self.constants.items():
            scope.define(name, tensor, frozenset([name]), dtype if dtype in CARRIERS else None)
        outputs = run_graph(self.graph, scope)
        return self._returned(outputs, [scope.unsigned_type(o.name) for o in self.graph.output])

    def _given(self, value: Any, left: Any) -> Any:
        if isinstance(value, list):
            return [self._given(v, left) for v in value]
        if value is None:
            return None
        if value.name in self.fixed:
            with untraced():
                return carried(self.fixed[value.name], value.dtype)
        return carried(next(left), value.dtype)

    def _returned(self, outputs: list[Any], unsigned: list[torch.dtype | None]) -> list[torch.Tensor]:
        kinds = [
            d for value, d in zip(outputs, unsigned, strict=True) for _ in pytree.tree_leaves(value, _is_none)
        ]
        leaves, self.out_spec = pytree.tree_flatten(outputs[0] if len(outputs) == 1 else tuple(outputs))
        self.absent = {k for k, leaf in enumerate(leaves) if leaf is None}
        present = [(leaf, d) for leaf, d in zip(leaves, kinds, strict=True) if leaf is not None]
        self.unsigned = [d for _, d in present]
        return [_as_result(materialised(leaf), d) for leaf, d in present]


def _is_none(value: Any) -> bool:
    return value is None


def _as_result(value: torch.Tensor, unsigned: torch.dtype | None) -> torch.Tensor:
    """A traced tensor of a type that results may have."""
    signed = value if unsigned is None else value.to(SAME_BITS[unsigned])
    return torch.clone(signed) if is_known(signed) else signed
