"""wse-mlir: an ML compiler in Python on upstream MLIR, for wafer-scale engines and CPUs.

Names are imported when first used, so that `import wse_mlir` loads neither torch nor MLIR.
"""

# The folders of the package lie elsewhere in the source tree; installed, they are where this file says.
# pyright: reportMissingImports=false

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .artifacts.saved.loading import load as load
    from .compiler.compile import Compiled as Compiled
    from .compiler.compile import compile as compile
    from .compiler.workload import Workload as Workload
    from .frontend import import_model as import_model
    from .frontend.training import TrainingStep as TrainingStep
    from .passes.infra.diagnostics import CompilerError as CompilerError
    from .passes.infra.diagnostics import PassFailure as PassFailure
    from .passes.infra.pass_base import Pass as Pass
    from .passes.infra.pass_base import option as option
    from .passes.infra.registry import register_pass as register_pass
    from .pipelines.opt import opt as opt
    from .runtime.arena import OutOfMemory as OutOfMemory
    from .runtime.checks import CheckFailed as CheckFailed
    from .runtime.checks import DivisionByZero as DivisionByZero
    from .runtime.checks import IndexOutOfRange as IndexOutOfRange
    from .runtime.wafer.estimate import estimate as estimate
    from .torch_backend.report import torch_compile_report as torch_compile_report
    from .wse_target.machine import Machine as Machine
    from .wse_target.machine_file import load_machine as load_machine

    __version__: str

_HOME = {
    "CompilerError": ".passes.infra.diagnostics",
    "PassFailure": ".passes.infra.diagnostics",
    "Pass": ".passes.infra.pass_base",
    "option": ".passes.infra.pass_base",
    "register_pass": ".passes.infra.registry",
    "CheckFailed": ".runtime.checks",
    "OutOfMemory": ".runtime.arena",
    "DivisionByZero": ".runtime.checks",
    "IndexOutOfRange": ".runtime.checks",
    "Compiled": ".compiler.compile",
    "compile": ".compiler.compile",
    "import_model": ".frontend",
    "estimate": ".runtime.wafer.estimate",
    "TrainingStep": ".frontend.training",
    "load": ".artifacts.saved.loading",
    "Machine": ".wse_target.machine",
    "load_machine": ".wse_target.machine_file",
    "opt": ".pipelines.opt",
    "Workload": ".compiler.workload",
    "torch_compile_report": ".torch_backend.report",
}

__all__ = [
    "CheckFailed",
    "Compiled",
    "CompilerError",
    "DivisionByZero",
    "IndexOutOfRange",
    "Machine",
    "OutOfMemory",
    "Pass",
    "PassFailure",
    "TrainingStep",
    "Workload",
    "compile",
    "estimate",
    "import_model",
    "load",
    "load_machine",
    "opt",
    "option",
    "register_pass",
    "torch_compile_report",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("wse-mlir")
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'wse_mlir' has no attribute '{name}'")
    return getattr(import_module(home, __name__), name)


def __dir__() -> list[str]:
    return sorted([*_HOME, "__version__"])
