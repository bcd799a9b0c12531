"""The `wse` dialect: layouts and communication on tensors, fabric programs, and what a PE executes.

`build` makes attributes and operations from Python values, `read` turns attributes back into them.
"""

from ..host import find_dialects_in, ir
from . import build, read
from .attributes import LayoutAttr, RectAttr, SramAttr, StridedRectAttr
from .collectives import (
    AllGatherOp,
    AllReduceOp,
    BroadcastOp,
    HaloExchangeOp,
    ReduceOp,
    ReduceScatterOp,
    ShiftOp,
)
from .dialect import Wse
from .distribution import (
    GatherOp,
    RedistributeOp,
    ScatterOp,
    StreamInOp,
    StreamOutOp,
    TransposeDistributionOp,
)
from .pe_ops import (
    ControlOp,
    GetBufferOp,
    GetScalarOp,
    IndexedOp,
    JoinOp,
    LookupOp,
    PhaseOp,
    ReceiveOp,
    RelayOp,
    SendOp,
    SwitchOp,
    VectorOp,
)
from .program import (
    BufferOp,
    ColourOp,
    HostGatherOp,
    HostScatterOp,
    PEClassOp,
    ProgramOp,
    RouteOp,
    ScalarOp,
    TableOp,
)

__all__ = [
    "AllGatherOp",
    "AllReduceOp",
    "BroadcastOp",
    "BufferOp",
    "ColourOp",
    "ControlOp",
    "GatherOp",
    "GetBufferOp",
    "GetScalarOp",
    "HaloExchangeOp",
    "HostGatherOp",
    "HostScatterOp",
    "IndexedOp",
    "JoinOp",
    "LayoutAttr",
    "LookupOp",
    "PEClassOp",
    "PhaseOp",
    "ProgramOp",
    "ReceiveOp",
    "RectAttr",
    "RedistributeOp",
    "ReduceOp",
    "ReduceScatterOp",
    "RelayOp",
    "RouteOp",
    "ScalarOp",
    "ScatterOp",
    "SendOp",
    "ShiftOp",
    "SramAttr",
    "StreamInOp",
    "StreamOutOp",
    "StridedRectAttr",
    "SwitchOp",
    "TableOp",
    "TransposeDistributionOp",
    "VectorOp",
    "Wse",
    "build",
    "irdl_text",
    "load",
    "read",
]


def load(context: ir.Context) -> None:
    """Loads the dialect into `context`; does nothing where it is loaded already."""
    if context.is_dialect_loaded(Wse.DIALECT_NAMESPACE):
        return
    find_dialects_in(__name__.rpartition(".")[0])
    with context, ir.Location.unknown():
        Wse.load()


def irdl_text() -> str:
    """The dialect as IRDL, for upstream tools: `mlir-opt --irdl-file=FILE`."""
    with ir.Context() as context, ir.Location.unknown():
        load(context)
        return str(Wse._mlir_module)
