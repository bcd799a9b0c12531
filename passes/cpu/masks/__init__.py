"""Masks of attention: how they are evaluated in lanes, and what they leave to compute."""
