"""What is checked while a program runs: ranges of values, and checks of indices."""
