"""How operations can be split over PEs, and which part of their operands each of these then needs."""
