"""Ways to distribute operations over PEs."""
