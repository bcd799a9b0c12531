"""The simulator: real numerics from PE-local tiles, cycles from the same instructions.

`simulate` runs a program once; `Simulation` keeps it loaded; `check_program` says whether a machine can run it.
"""

from .check import check_program as check_program
from .kernels import KernelKey as KernelKey
from .kernels import KernelProvider as KernelProvider
from .kernels import NumpyKernels as NumpyKernels
from .report import SimulationReport as SimulationReport
from .report import SimulationResult as SimulationResult
from .simulation import Simulation as Simulation
from .simulation import simulate as simulate
