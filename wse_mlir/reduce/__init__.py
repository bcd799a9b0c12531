"""Test-case reduction: the smallest IR that a predicate still finds interesting (`docs/reducing.md`)."""

from .reducer import NotInteresting as NotInteresting
from .reducer import Progress as Progress
from .reducer import Reduction as Reduction
from .reducer import reduce as reduce
from .size import Size as Size
