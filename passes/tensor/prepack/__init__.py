"""What of a model can be computed before it is called: from parameters and constants alone."""
