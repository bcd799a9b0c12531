"""Programs of PEs run before they are routed or have addresses: on a machine with room for everything.

A module that `wse-emit-programs` left has colours without numbers and buffers without addresses. Here every colour gets
a number and queues of its own and every buffer memory of its own, on a machine like the target's that has enough of
them. So a fault of `wse-route` or `wse-plan-memory` is told apart from one of the programs themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..dialects.host import ir
from ..dialects.wse import build, read
from ..passes.wafer.executable import program_of, symbols
from ..runtime.wafer.image_builder import build_image
from ..runtime.wafer.pe_kernels import NativeKernels
from ..runtime.wafer.target import prove
from ..wse_target.image import Program
from ..wse_target.instructions import DTYPE_BYTES
from ..wse_target.machine import Machine
from ..wse_target.machine_file import load_machine
from ..wse_target.sim.simulation import Simulation
from .calls import Arrays
from .constants import dense_array

_SRAM = 1 << 30  # bytes of a PE that has room


class FabricCompletion:
    """Completion of the stages from `wse-emit-programs` on; see `judge.Completion`."""

    def accepts(self, operations: set[str]) -> bool:
        return "wse.program" in operations

    def __call__(self, module: ir.Module) -> Callable[[Sequence[np.ndarray]], Arrays]:
        op = module.operation
        program = program_of(op)
        machine = load_machine(program.machine.value)
        with op.context:
            routed, planned = _is_routed(op), _is_planned(op)
            machine = (
                machine if routed and planned else _roomy(machine, len(symbols(op, "wse.colour")), routed)
            )
            if not routed:
                _number_colours(op)
            if not planned:
                _give_addresses(op)
        return _Fabric(op, machine).run


class _Fabric:
    """A program on a machine. Whether the machine takes it is asked when it runs: what it refuses is wrong."""

    def __init__(self, module: ir.Operation, machine: Machine) -> None:
        self._module, self._machine = module, machine
        self._constants = _constants(program_of(module))
        self._loaded: tuple[Program, Simulation] | None = None

    def run(self, arguments: Sequence[np.ndarray]) -> Arrays:
        """The results; raises `TargetError` where the machine refuses the program, or it deadlocks."""
        image, simulation = self._loaded = self._loaded or self._load()
        given = [*map(np.ascontiguousarray, arguments), *self._constants]
        simulation.load({i: given[i] for i in {t.tensor for t in image.scatters if t.resident}})
        return simulation.call([given[i] for i in simulation.call_arguments]).outputs

    def _load(self) -> tuple[Program, Simulation]:
        image = build_image(self._module)
        prove(image, self._machine)
        return image, Simulation(image, self._machine, kernels=NativeKernels())


def _constants(program: Any) -> Arrays:
    if "wse.constants" not in program.attributes:
        return []
    return [dense_array(value) for value in ir.ArrayAttr(program.attributes["wse.constants"])]


def _is_routed(module: ir.Operation) -> bool:
    return all(read.integer(colour.id) >= 0 for colour in symbols(module, "wse.colour"))


def _is_planned(module: ir.Operation) -> bool:
    return all(read.integer(buffer.offset) >= 0 for buffer in symbols(module, "wse.buffer"))


def _number_colours(module: ir.Operation) -> None:
    for number, colour in enumerate(symbols(module, "wse.colour")):
        for name in ("id", "input_queue", "output_queue"):
            colour.attributes[name] = build.i64(number)


def _give_addresses(module: ir.Operation) -> None:
    offset = 0
    for buffer in symbols(module, "wse.buffer"):
        memref = ir.MemRefType(buffer.type.value)
        buffer.attributes["offset"] = build.i64(offset)
        size = DTYPE_BYTES[str(memref.element_type)] * int(np.prod(list(memref.shape)))
        offset += -(-size // 16) * 16


def _roomy(machine: Machine, colours: int, routed: bool) -> Machine:
    """The machine with memory for all buffers and, for programs that are not routed, numbers for all colours."""
    room: dict[str, Any] = {"sram__bytes": _SRAM}
    if not routed:
        deepest_in, deepest_out = max(machine.queues.input), max(machine.queues.output)
        count = max(colours, 1)
        room |= {
            "fabric__colours": count,
            "fabric__reserved_colours": [],
            "queues__input": [deepest_in] * count,
            "queues__output": [deepest_out] * count,
        }
    return machine.replace(**room)
