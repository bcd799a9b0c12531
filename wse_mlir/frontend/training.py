"""A step of training as one program: forward, backward and update, with the parameters as its state."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch.export import ExportedProgram
from torch.export.exported_program import _decompose_exported_program
from torch.export.graph_signature import (
    ExportGraphSignature,
    InputKind,
    InputSpec,
    OutputKind,
    OutputSpec,
    TensorArgument,
)
from torch.fx import Graph, Node
from torch.nn.attention import SDPBackend, sdpa_kernel

from ..passes.infra.diagnostics import CompilerError
from .exporting import export_program

Loss = Callable[[Any, Any], torch.Tensor]
aten = torch.ops.aten


class TrainingStep(torch.nn.Module):
    """One step of stochastic gradient descent: takes a batch, changes the model's parameters, returns the loss.

    In eager PyTorch it does what `loss.backward()` and `torch.optim.SGD` do. Compiled, it is one program: parameters
    are states, which stay where the program runs, so that a call moves nothing but the batch and the loss.

    Args:
        model: as it stands, in training or evaluation mode; parameters with `requires_grad` are trained.
        loss: from the model's output and the last argument of a call to a scalar.
        learning_rate: what gradients are multiplied by.
        weight_decay: what parameters are multiplied by and added to their gradients.
    """

    def __init__(
        self, model: torch.nn.Module, loss: Loss, *, learning_rate: float, weight_decay: float = 0.0
    ) -> None:
        super().__init__()
        self.model, self.loss = model, loss
        self.learning_rate, self.weight_decay = learning_rate, weight_decay

    def forward(self, *batch: Any) -> torch.Tensor:
        """The loss of a batch, the model's inputs and what the loss compares its output with, before the step."""
        trained = [p for p in self.parameters() if p.requires_grad]
        with torch.enable_grad():
            loss = self.loss(self.model(*batch[:-1]), batch[-1])
            gradients = torch.autograd.grad(loss, trained, allow_unused=True)
        with torch.no_grad():
            for parameter, gradient in zip(trained, gradients, strict=True):
                if gradient is not None:
                    parameter.copy_(self.updated(parameter, gradient))
        return loss.detach()

    def updated(self, parameter: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
        """A parameter behind the step."""
        if self.weight_decay:
            gradient = gradient + parameter * self.weight_decay
        return parameter - gradient * self.learning_rate


class _Loss(torch.nn.Module):
    """The part of a step in front of the gradients; the model has the name that it has in the step."""

    def __init__(self, step: TrainingStep) -> None:
        super().__init__()
        self.model, self.loss = step.model, step.loss

    def forward(self, *batch: Any) -> torch.Tensor:
        return self.loss(self.model(*batch[:-1]), batch[-1])


def export_training_step(
    step: TrainingStep, args: Sequence[Any], kwargs: Mapping[str, Any] | None, dynamic_shapes: Any = None
) -> ExportedProgram:
    """The whole step as a functional program, whose parameters are buffers with next values.

    Raises:
        CompilerError: the loss cannot be exported or has no gradients.
    """
    if not any(p.requires_grad for p in step.parameters()):
        raise CompilerError(
            "no parameter of the model requires a gradient, so there is nothing to train",
            hint="set requires_grad of the parameters that the step is to change",
        )
    forward = export_program(_Loss(step), args, kwargs, dynamic_shapes)
    _check_loss(forward)
    _tie(forward)
    try:
        # Of attention's fused forms there is no gradient in simpler operators.
        with warnings.catch_warnings(), sdpa_kernel(SDPBackend.MATH):
            warnings.simplefilter("ignore")
            _leave_out_unused(forward)
            joint = _decompose_exported_program(
                forward,
                cia_to_decomp={},
                python_decomp_table={},
                joint_loss_index=0,
                decompose_custom_triton_ops=False,
            )
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[0]
        raise CompilerError(f"PyTorch could not derive the gradients of the loss: {reason}") from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # PyTorch's own, when a program is copied
        return _with_updates(joint, step)


def _check_loss(program: ExportedProgram) -> None:
    outputs: Any = program.graph.output_node().args[0]
    value = outputs[0].meta["val"] if len(outputs) == 1 and isinstance(outputs[0], Node) else None
    if not isinstance(value, torch.Tensor) or value.dim() or not value.is_floating_point():
        raise CompilerError(
            "the loss of a training step is not one number",
            hint="let the loss return a 0-d tensor of floating-point numbers, as the mean of all losses is",
        )


def _parameters(program: ExportedProgram) -> dict[Node, torch.Tensor]:
    nodes = {node.name: node for node in program.graph.nodes}
    specs = program.graph_signature.input_specs
    kind = InputKind.PARAMETER
    return {nodes[s.arg.name]: program.state_dict[str(s.target)] for s in specs if s.kind == kind}


def _tie(program: ExportedProgram) -> None:
    """Parameters with two names are one, whose gradient is the sum of both."""
    first: dict[int, Node] = {}
    for node, tensor in _parameters(program).items():
        if (original := first.setdefault(id(tensor), node)) is not node:
            node.replace_all_uses_with(original)
    program.graph_module.recompile()


def _leave_out_unused(program: ExportedProgram) -> None:
    """Marks parameters that the loss does not depend on, whose gradient PyTorch has none of, as not trained."""
    inputs = [node.meta["val"] for node in program.graph.nodes if node.op == "placeholder"]
    trained = [value for node in _parameters(program) if (value := node.meta["val"]).requires_grad]
    with torch.enable_grad():
        *_, loss = torch.fx.Interpreter(program.graph_module).run(*inputs)
        if not loss.requires_grad:
            raise CompilerError(
                "the loss of a training step does not depend on any parameter that is trained",
                hint="look for a detach() or a no_grad() between parameters and loss",
            )
        gradients = torch.autograd.grad(loss, trained, allow_unused=True)
    for value, gradient in zip(trained, gradients, strict=True):
        if gradient is None:
            value.requires_grad_(False)


def _with_updates(joint: ExportedProgram, step: TrainingStep) -> ExportedProgram:
    """The program that returns new parameters in place of gradients."""
    graph, signature = joint.graph, joint.graph_signature
    nodes = {node.name: node for node in graph.nodes}
    places = {str(spec.target): nodes[spec.arg.name] for spec in signature.input_specs if spec.target}
    held = {name: tensor.detach() for name, tensor in joint.state_dict.items()}
    inputs: list[InputSpec] = []
    states: list[tuple[Node, OutputSpec]] = []
    outputs: list[tuple[Node, OutputSpec]] = []
    for spec in signature.output_specs:
        node = nodes[spec.arg.name]
        if spec.kind == OutputKind.GRADIENT_TO_PARAMETER:
            node = _updated(graph, places[str(spec.target)], node, step)
            states.append((node, _output(node, OutputKind.BUFFER_MUTATION, spec.target)))
        elif spec.kind == OutputKind.LOSS_OUTPUT:
            outputs.append((node, _output(node, OutputKind.USER_OUTPUT, None)))
        elif spec.kind == OutputKind.BUFFER_MUTATION:
            states.append((node, spec))
    end = graph.output_node()
    end.args = (tuple(node for node, _ in [*states, *outputs]),)
    for spec in signature.input_specs:
        node = nodes[spec.arg.name]
        if spec.kind != InputKind.PARAMETER:
            inputs.append(spec)
        elif node.users:
            node.meta["val"] = node.meta["val"].detach()
            inputs.append(InputSpec(InputKind.BUFFER, spec.arg, spec.target, persistent=True))
        else:  # a second name of a parameter, or one that nothing depends on
            graph.erase_node(node)
            del held[str(spec.target)]
    changed = ExportGraphSignature(inputs, [spec for _, spec in [*states, *outputs]])
    joint.graph_module.recompile()
    return joint._update(joint.graph_module, changed, state_dict=held)


def _output(node: Node, kind: OutputKind, target: str | None) -> OutputSpec:
    return OutputSpec(kind, TensorArgument(node.name), target)


def _updated(graph: Graph, parameter: Node, gradient: Node, step: TrainingStep) -> Node:
    """`TrainingStep.updated` in the graph, with the gradient's place in the model."""

    def apply(operator: Any, *operands: Any) -> Node:
        with graph.inserting_before(graph.output_node()):
            node = graph.call_function(operator, operands)
        node.meta.update({key: value for key, value in gradient.meta.items() if key != "tensor_meta"})
        node.meta["val"] = parameter.meta["val"].detach()
        return node

    if step.weight_decay:
        gradient = apply(aten.add.Tensor, gradient, apply(aten.mul.Tensor, parameter, step.weight_decay))
    return apply(aten.sub.Tensor, parameter, apply(aten.mul.Tensor, gradient, step.learning_rate))
