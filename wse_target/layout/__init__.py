"""Where tensors are: blocks over a rectangle (`Layout`), and the digits of `TensorLayout` that take their place."""

from .blocks import AXES as AXES
from .blocks import WHOLE as WHOLE
from .blocks import Layout as Layout
from .rectangle import Rect as Rect
from .rectangle import common_pe as common_pe
