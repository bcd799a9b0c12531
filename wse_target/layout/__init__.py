"""Where tensors are: digits of their dimensions on meshes of PEs."""

from .rectangle import Rect as Rect
from .rectangle import common_pe as common_pe
