"""Routes of a program: which hardware numbers its colours have, and when."""
