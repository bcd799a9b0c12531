"""How values get from one layout to another: ways with their prices, and the fragments that carry them out."""

from .movement import Movement as Movement
from .movement import emit as emit
from .movement import emit_steps as emit_steps
from .movement import forced as forced
from .movement import movements as movements
from .partials import scattered as scattered
from .ways import Ways as Ways
from .ways import remembered_ways as remembered_ways
from .ways import ways_on as ways_on
