"""Models whose parts sit side by side on one wafer, in one program."""
