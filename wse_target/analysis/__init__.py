"""What can be proven of a program without running it."""
