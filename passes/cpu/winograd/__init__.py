"""Convolutions with fewer products than direct ones: what `wse-winograd-convolutions` is made of."""
